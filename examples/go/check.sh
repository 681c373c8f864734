#!/bin/sh
# Checks the formatting; runs the tests with the race detector, each benchmark once, and the
# example. pkg-config and the loader must find libmasstree.
set -eu
cd "$(dirname "$0")"
export GOFLAGS=-mod=readonly GOPROXY=off

unformatted=$(gofmt -l .)
if [ -n "$unformatted" ]; then
    echo "check.sh: gofmt would change: $unformatted" >&2
    exit 1
fi
go vet ./...
go test -race -bench . -benchtime 1x ./...

text=$(mktemp)
trap 'rm -f "$text"' EXIT
echo 'one fish two fish red fish' >"$text"
counted=$(go run ./wordcount -prefix f "$text" "$text")
if [ "$counted" != '       6 fish' ]; then
    echo "check.sh: wordcount says: $counted" >&2
    exit 1
fi
