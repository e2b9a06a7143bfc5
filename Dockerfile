# The image of the action. `uses: ./` builds it; a release names a ready-made one, so that users never compile.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
# Without the tables for unwinding and with packed relocations an eighth smaller. Only here: these relocations want glibc 2.36.
# The target is named below because the flags are not for build scripts.
COPY docker/unwinding.ld docker/
ENV RUSTFLAGS="-C link-arg=-Wl,-T,/src/docker/unwinding.ld -C link-arg=-Wl,--no-eh-frame-hdr -C link-arg=-Wl,-z,pack-relative-relocs"
# The dependencies in a layer of their own: they change far less often than we do.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src benches \
 && echo 'fn main() {}' > src/main.rs \
 && touch src/lib.rs benches/parts.rs \
 && cargo build --locked --profile dist --bin loadgate --target "$(rustc --print host-tuple)"
COPY src src
COPY templates templates
COPY schemas schemas
# What `loadgate run --engine docker` takes by default, if not the one in the source.
ARG LOCUST_IMAGE=
# A file's time is all cargo looks at, and the ones copied may be older than the stand-ins.
RUN touch src/main.rs src/lib.rs \
 && cargo build --locked --profile dist --bin loadgate --target "$(rustc --print host-tuple)"

# Not smaller: Kubernetes runners need `sh`, `env` and `tail` in the image.
FROM debian:bookworm-slim
# The bundle alone: as a package it brings OpenSSL along, which is larger than everything else here.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/*/dist/loadgate /usr/local/bin/loadgate

ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="loadgate" \
      org.opencontainers.image.description="Judges load-test results against a committed baseline" \
      org.opencontainers.image.source="https://github.com/loadgate/loadgate" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# Root on purpose: the runner's files and the workspace belong to a user whose number the image cannot know.
# hadolint ignore=DL3002
USER 0
# No script in between: inputs go from the runner to the program without a shell.
ENTRYPOINT ["/usr/local/bin/loadgate"]
