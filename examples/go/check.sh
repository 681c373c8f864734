#!/bin/sh
# Checks the formatting; runs the tests with the race detector, each benchmark once, and the
# examples. pkg-config and the loader must find libmasstree.
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
trap 'rm -f "$text" "$text.objects"' EXIT
echo 'one fish two fish red fish' >"$text"
counted=$(go run ./wordcount -prefix f "$text" "$text")
if [ "$counted" != '       6 fish' ]; then
    echo "check.sh: wordcount says: $counted" >&2
    exit 1
fi

go build -o "$text.objects" ./objects
said=$("$text.objects")
expected='logs/1 exists
writer: signal: killed
photos/2026/ []
photos/a.jpg [size=1]
photos/d.jpg [size=1]'
if [ "$said" != "$expected" ]; then
    echo "check.sh: objects says: $said" >&2
    exit 1
fi

said=$(go run ./bank)
expected='all accounts: 1000
all and one more: not enough money
the copy: 1000'
if [ "$said" != "$expected" ]; then
    echo "check.sh: bank says: $said" >&2
    exit 1
fi
