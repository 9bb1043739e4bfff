module rillgate/tests/client

go 1.20

require github.com/tmaxmax/go-sse v0.8.0
