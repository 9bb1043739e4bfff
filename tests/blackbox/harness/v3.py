"""V3 as its clients meet it."""

import json

from .server import target


def node_settings(brokers, topic, settings=None):
    """Settings of a node that has a topic to itself or shares it with the other nodes of its test."""
    addresses = ",".join(one.address for one in brokers)
    return {"kafka": addresses, "kafka.v3-topic": topic, "kafka.group": f"group-of-{topic}"} | (settings or {})


def opened(node, user, **options):
    """A stream of the user, its first block read: it goes on where it was asked to."""
    stream = node.stream(user, version="v3", **options)
    event = stream.next_event()
    assert event.type == "stream-open", f"{event} {event.block}"
    return stream


def gap(node, user, **options):
    """A stream of the user that begins with a gap, and what the gap tells."""
    stream = node.stream(user, version="v3", **options)
    event = stream.next_event()
    assert event.type == "stream-gap", f"{event} {event.block}"
    assert event.has_id and event.retry
    told = json.loads(event.data)
    assert set(told) == {"requested", "oldest"}
    return stream, told


def post(node, user, data, event=None, connection=None, within=20):
    """The answer to one message, whatever it is."""
    body = data.encode() if isinstance(data, str) else data
    path = target("/v3/message", username=user, event=event)
    return (connection or node).request("POST", path, (), body, within)


def publish(node, user, data, event=None, connection=None):
    """Posts a message that must be taken; returns its (partition, offset)."""
    answer = node.publish(user, data, event, connection, version="v3")
    assert set(answer) == {"partition", "offset"}, answer
    return answer["partition"], answer["offset"]


def messages_until(stream, last, within=20):
    """The data of the stream's messages up to that one, which the caller knows to be the last."""
    seen = []
    while last not in seen[-1:]:
        event = stream.next_event(within)
        assert event is not None, f"the stream ended ({stream.ended}) after {seen[-3:]}"
        if not event.type.startswith("stream-"):
            seen.append(event.data)
    return seen
