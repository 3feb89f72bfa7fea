/** The admin API, with the token that the operator gave for this tab. */
const KEPT = 'pollcast-admin-token';

export function keptToken(): string | undefined {
  return sessionStorage.getItem(KEPT) ?? undefined;
}

export function keepToken(token: string): void {
  sessionStorage.setItem(KEPT, token);
}

/** @throws Error with the hub's own sentence */
export async function admin<T = unknown>(method: 'POST' | 'DELETE', path: string): Promise<T> {
  const token = keptToken();
  const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const response = await fetch(`/api/${path}`, { method, headers });
  const body = (await response.json()) as { error?: { message: string } };
  if (!response.ok) throw new Error(body.error?.message ?? `The hub answered ${response.status}.`);
  return body as T;
}

/** One segment of a path, whatever the name has in it. */
export function segment(name: string): string {
  return encodeURIComponent(name);
}
