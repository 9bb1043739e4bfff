// Prints each event of the stream at os.Args[1] as a line of JSON. The module does all of the resuming.
package main

import (
	"encoding/json"
	"net/http"
	"os"
	"time"

	"github.com/tmaxmax/go-sse"
)

func main() {
	request, err := http.NewRequest(http.MethodGet, os.Args[1], nil)
	if err != nil {
		panic(err)
	}
	client := sse.Client{Backoff: sse.Backoff{InitialInterval: 100 * time.Millisecond, MaxInterval: time.Second}}
	connection := client.NewConnection(request)
	out := json.NewEncoder(os.Stdout)
	connection.SubscribeToAll(func(event sse.Event) {
		kind := event.Type
		if kind == "" {
			kind = "message"
		}
		if err := out.Encode(map[string]string{"type": kind, "data": event.Data, "id": event.LastEventID}); err != nil {
			panic(err)
		}
	})
	panic(connection.Connect())
}
