# syntax=docker/dockerfile:1
FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The embedded Postgres is for laptops: here the database is a service of its own.
RUN npm ci --include=dev --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY src src
COPY client client
COPY web web
COPY site site
COPY docs docs
RUN node scripts/build.mjs && npm prune --omit=dev --omit=optional --ignore-scripts

FROM node:22-bookworm-slim AS hub
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 TOPICS_DIR=/app/topics
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY topics topics
RUN mkdir var && chown node:node var
USER node
EXPOSE 3000
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/ready`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Node itself, not npm: SIGTERM must reach the hub, which then drains.
CMD ["node", "--enable-source-maps", "dist/main.js"]

# docker build --target recorder: a node that makes recordings (deploy/k8s/recorder.yaml).
FROM hub AS recorder
USER root
RUN apt-get update \
  && apt-get install --yes --no-install-recommends chromium-headless-shell ffmpeg fonts-dejavu-core \
  && rm -rf /var/lib/apt/lists/*
USER node

# The last one is built when none is named.
FROM hub
