"""Workers of V4: they ask for changes of reports by Kafka, and see there what becomes of them."""

import contextlib
import json

from confluent_kafka import KafkaException

from .waiting import PATIENCE, wait_until


def update(user, report, status):
    """The value of a record that asks for a change."""
    return json.dumps({"userId": user.id, "id": report, "status": status})


class Worker:
    """All workers of a test, on topics and in a group that only its nodes have. Without `partitions`, the topic of
    updates is left for a node to make."""

    def __init__(self, kafka, name, partitions=1):
        self.kafka = kafka
        self.group = f"group-of-{name}"
        self.updates, self.events = f"{name}-updates", f"{name}-events"
        self.dead = f"{self.updates}.dead"
        if partitions:
            kafka.create_topic(self.updates, partitions)

    def settings(self):
        """For a node that takes these updates."""
        return {
            "kafka.v4-updates-topic": self.updates,
            "kafka.v4-events-topic": self.events,
            "kafka.group": self.group,
        }

    def ask(self, user, report, *statuses):
        """Asks for changes of a report, one after the other; returns each record's (partition, offset)."""
        return self.ask_in_turn(user, [(report, status) for status in statuses])

    def ask_in_turn(self, user, changes):
        """The same for (report, status) pairs."""
        values = [update(user, *change) for change in changes]
        return self.kafka.send_all(self.updates, values, key=user.id)

    def is_settled(self):
        """Whether each update was applied, skipped or set aside, and the group will not hear of it again."""
        with contextlib.suppress(KafkaException):  # a broker that has just come back does not know of all it has
            committed = self.kafka.committed(self.group, self.updates)
            return all(committed.get(partition, 0) == end for partition, end in self.kafka.ends(self.updates).items())
        return False

    def wait_until_settled(self, within=PATIENCE):
        wait_until(self.is_settled, "all updates to be settled", within)

    def letters(self):
        """What was set aside, by its source."""
        letters = self.kafka.read(self.dead) if self.dead in self.kafka.topics() else []
        return {letter.source: letter for letter in letters}

    def notices(self, user):
        """What the nodes told each other of a user, in order."""
        return [json.loads(record.value) for record in self.kafka.read(self.events) if record.key == user.id.encode()]
