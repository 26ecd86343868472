# Nebula: one static binary on an image without a shell, run by a user without rights.
FROM golang:1.26-alpine AS build
ARG GOPROXY
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG COMMIT=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.commit=$COMMIT" -o /out/nebula ./cmd/nebula && mkdir /out/data

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/nebula /usr/local/bin/nebula
COPY --from=build --chown=65532:65532 /out/data /data
# Replicas share the volume: each takes the first folder in it that no other holds.
ENV NEBULA_DATA=/data/{slot} NEBULA_ADMIN=:6060
VOLUME /data
EXPOSE 8080 6060
HEALTHCHECK --interval=2s --timeout=3s --start-period=20s CMD ["nebula", "-health"]
ENTRYPOINT ["nebula"]
