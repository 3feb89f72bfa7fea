const { EVERY = '1s', ROWS = '20000', LIMIT = '10000' } = process.env;

/** The known demonstration, unless the environment says otherwise. */
export const scenario = { every: EVERY, rows: Number(ROWS), limit: Number(LIMIT) };
