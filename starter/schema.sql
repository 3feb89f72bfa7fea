-- Runs once, when the database of compose.yaml is made. In a database of your own you will not need it.

CREATE TABLE orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  placed_at timestamptz NOT NULL DEFAULT now(),
  region text NOT NULL,
  total numeric(12, 2) NOT NULL
);
CREATE INDEX ON orders (placed_at);

INSERT INTO orders (placed_at, region, total)
SELECT now() - make_interval(secs => n * 18), (ARRAY['EU', 'US', 'APAC'])[1 + n % 3], 10 + n % 90
FROM generate_series(1, 200) AS n;

-- Whom the hub is at the database: one who may read, and nothing else. The password is for a database that only this
-- machine can reach.
CREATE ROLE reader LOGIN PASSWORD 'reader';
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO reader;
