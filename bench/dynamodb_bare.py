"""Changes of reports a second by a bare client of DynamoDB's: boto3, one thread for each of CLIENTS reports, and for each
change the same two requests that the server makes (read tip and report, then the transaction of four conditional puts).
Prints one JSON object, with the CPU that this process took for each change.

    dynamodb_bare.py --endpoint URL --table-prefix P [--clients N] [--round-ms N]
"""

import argparse
import json
import resource
import threading
import time
import uuid

import boto3
from botocore.config import Config


class Client:
    """One user with one report, changed to and fro."""

    def __init__(self, dynamodb, prefix):
        self._dynamodb = dynamodb
        self._reports, self._events = f"{prefix}reports", f"{prefix}report_events"
        self._user, self._report = str(uuid.uuid4()), str(uuid.uuid4())
        self.latencies_ms = []
        self._put(0, 0, "pending")

    def change(self):
        keys = {
            self._reports: {"Keys": [{"user": {"S": self._user}, "report": {"S": self._report}}]},
            self._events: {"Keys": [{"user": {"S": self._user}, "sequence": {"N": "0"}}]},
        }
        for one in keys.values():
            one["ConsistentRead"] = True
        found = self._dynamodb.batch_get_item(RequestItems=keys)["Responses"]
        report, tip = found[self._reports][0], found[self._events][0]
        status = "canceled" if report["status"]["S"] == "pending" else "pending"
        self._put(int(tip["newest"]["N"]), int(report["version"]["N"]), status)

    def _put(self, newest, version, status):
        now = {"N": str(time.time_ns() // 1_000_000)}
        user, report, state = {"S": self._user}, {"S": self._report}, {"S": status}
        next_seq, next_version = {"N": str(newest + 1)}, {"N": str(version + 1)}
        absent = {"ConditionExpression": "attribute_not_exists(#u)", "ExpressionAttributeNames": {"#u": "user"}}

        def still(name, value):
            if value == 0:
                return absent
            return {
                "ConditionExpression": "#a = :a",
                "ExpressionAttributeNames": {"#a": name},
                "ExpressionAttributeValues": {":a": {"N": str(value)}},
            }

        items = [
            (self._events, {"user": user, "sequence": {"N": "0"}, "newest": next_seq, "at": now}, still("newest", newest)),
            (
                self._reports,
                {
                    "user": user,
                    "report": report,
                    "status": state,
                    "version": next_version,
                    "created_at": now,
                    "updated_at": now,
                },
                still("version", version),
            ),
            (
                self._events,
                {"user": user, "sequence": next_seq, "report": report, "version": next_version, "status": state, "at": now},
                absent,
            ),
            (
                self._events,
                {
                    "user": {"S": f"{self._user}/history/{self._report}"},
                    "sequence": next_version,
                    "status": state,
                    "at": now,
                },
                absent,
            ),
        ]
        self._dynamodb.transact_write_items(
            TransactItems=[{"Put": {"TableName": table, "Item": item, **condition}} for table, item, condition in items]
        )

    def run(self, end):
        while (asked := time.monotonic()) < end:
            self.change()
            self.latencies_ms.append((time.monotonic() - asked) * 1e3)


def cpu_us():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1e6


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--table-prefix", required=True)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--round-ms", type=int, default=2000)
    options = parser.parse_args()
    dynamodb = boto3.client(
        "dynamodb",
        endpoint_url=options.endpoint,
        region_name="us-east-1",
        aws_access_key_id="rillgate",
        aws_secret_access_key="rillgate",
        config=Config(max_pool_connections=options.clients),
    )
    clients = [Client(dynamodb, options.table_prefix) for _ in range(options.clients)]
    cpu_before, began = cpu_us(), time.monotonic()
    end = began + options.round_ms / 1e3
    threads = [threading.Thread(target=client.run, args=(end,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    latencies = sorted(latency for client in clients for latency in client.latencies_ms)
    at = lambda percent: latencies[(len(latencies) - 1) * percent // 100]  # noqa: E731
    bare = {"per_second": len(latencies) / took, "p50_ms": at(50), "p99_ms": at(99)}
    print(json.dumps({"bare": bare, "cpu_us": (cpu_us() - cpu_before) / len(latencies)}))


if __name__ == "__main__":
    main()
