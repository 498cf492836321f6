# syntax=docker/dockerfile:1
# Builds the service and nothing else; it runs as a user that may write only its data directory.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build

# The dependencies first, so that a change of ours does not build them again.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY tests/fake-google tests/fake-google
RUN mkdir src && echo 'fn main() {}' > src/main.rs && touch src/lib.rs \
    && cargo build --release --locked --bin doubletick-sheets \
    && rm -r src

COPY src src
# The placeholder's fingerprint must not be mistaken for ours.
RUN touch src/main.rs src/lib.rs && cargo build --release --locked --bin doubletick-sheets

FROM debian:bookworm-slim
# Google's certificates are checked against the system's.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home doubletick
COPY --from=build /build/target/release/doubletick-sheets /usr/local/bin/
# A volume is mounted as root's. The service is not root: the directory is given to its user, and
# the shell replaced by the service, so that signals reach it.
COPY --chmod=755 <<'EOF' /usr/local/bin/entrypoint
#!/bin/sh
set -e
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$DATA_DIR"
    chown -R doubletick "$DATA_DIR"
    exec setpriv --reuid=doubletick --regid=doubletick --clear-groups doubletick-sheets "$@"
fi
exec doubletick-sheets "$@"
EOF
ENV DATA_DIR=/data
EXPOSE 8080
ENTRYPOINT ["entrypoint"]
