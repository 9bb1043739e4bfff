// What somebody would write in an afternoon with Go's standard library: a map of users, a buffered channel for each
// stream. A stream whose channel is full makes its publisher wait, since nothing is to be lost.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync"
)

const waitingMax = 256

type hub struct {
	mutex sync.RWMutex
	users map[string]map[chan []byte]struct{}
}

func (h *hub) stream(response http.ResponseWriter, request *http.Request) {
	user, events := request.URL.Query().Get("username"), make(chan []byte, waitingMax)
	h.mutex.Lock()
	if h.users[user] == nil {
		h.users[user] = map[chan []byte]struct{}{}
	}
	h.users[user][events] = struct{}{}
	h.mutex.Unlock()
	defer func() {
		h.mutex.Lock()
		delete(h.users[user], events)
		if len(h.users[user]) == 0 {
			delete(h.users, user)
		}
		h.mutex.Unlock()
	}()
	response.Header().Set("Content-Type", "text/event-stream")
	response.Header().Set("Cache-Control", "no-store")
	flusher := response.(http.Flusher)
	flusher.Flush()
	for {
		select {
		case event := <-events:
			if _, err := response.Write(event); err != nil {
				return
			}
			flusher.Flush()
		case <-request.Context().Done():
			return
		}
	}
}

func (h *hub) streamsOf(user string) []chan []byte {
	h.mutex.RLock()
	defer h.mutex.RUnlock()
	var found []chan []byte
	add := func(streams map[chan []byte]struct{}) {
		for stream := range streams {
			found = append(found, stream)
		}
	}
	if user != "*" {
		add(h.users[user])
		return found
	}
	for _, streams := range h.users {
		add(streams)
	}
	return found
}

func (h *hub) message(response http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	event := []byte(fmt.Sprintf("data: %s\n\n", body))
	for _, stream := range h.streamsOf(request.URL.Query().Get("username")) {
		select {
		case stream <- event:
		case <-request.Context().Done():
			return
		}
	}
	response.WriteHeader(http.StatusAccepted)
}

func main() {
	h := &hub{users: map[string]map[chan []byte]struct{}{}}
	http.HandleFunc("/v2/sse", h.stream)
	http.HandleFunc("/v2/message", h.message)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
