"""Every method of customers, by a client that Python's grpcio-tools generate from the published .proto files.

usage: customers.py ADDRESS STUBS [TEST...]

With AUTHORITY, the PEM file of an authority, it speaks TLS.
"""

import http.client
import json
import os
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid

address, stubs, *named = sys.argv[1:]
sys.path.insert(0, stubs)

import grpc
from customer.v1 import customer_pb2_grpc as older
from google.protobuf import field_mask_pb2
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status
from pando.customers.v1 import customer_pb2, customers_pb2, customers_pb2_grpc

authority = os.environ.get("AUTHORITY")
scheme = "https" if authority else "http"
context = ssl.create_default_context(cafile=authority) if authority else None


def connect(**options):
    """A channel to the server."""
    if not authority:
        return grpc.insecure_channel(address, **options)
    with open(authority, "rb") as roots:
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(roots.read()), **options)


channel = connect()
service = customers_pb2_grpc.CustomerServiceStub(channel)
RUN = uuid.uuid4().hex[:8]
# The same for all that use these stubs.
ROUND = os.path.basename(stubs).strip(".").lower()


def customer(name="Zoë O'Brien", **fields):
    fields.setdefault("email", f"{uuid.uuid4().hex}@example.org")
    return customer_pb2.Customer(name=name, **fields)


def create(**fields):
    return service.Create(customers_pb2.CreateRequest(customer=customer(**fields)))


def refused(call, code):
    """The status of a call that is refused with this code."""
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, f"{error.code()} {error.details()}, not {code}"
        return error
    raise AssertionError(f"not refused with {code}")


def details(error):
    found = {}
    for detail in rpc_status.from_call(error).details:
        for kind in (error_details_pb2.BadRequest, error_details_pb2.ErrorInfo, error_details_pb2.RetryInfo):
            if detail.Is(kind.DESCRIPTOR):
                detail.Unpack(found.setdefault(kind.__name__, kind()))
    return found


def test_a_customer_is_created_read_changed_and_deleted():
    made = create(phone="+55 (12) 3923-5555", metadata={"source": "shop", "tier": "1"})
    assert (made.version, made.phone, made.phone_e164) == (1, "+55 (12) 3923-5555", "+551239235555")
    assert made.created_at.seconds > 1_700_000_000 and made.created_at == made.updated_at
    get = lambda: service.Get(customers_pb2.GetRequest(id=made.id))
    assert get() == made
    mask = field_mask_pb2.FieldMask(paths=["name", "metadata.tier", "metadata.source"])
    change = customer_pb2.Customer(id=made.id, name="李雷", metadata={"tier": "2"}, version=1)
    changed = service.Update(customers_pb2.UpdateRequest(customer=change, update_mask=mask))
    assert (changed.name, changed.email, dict(changed.metadata)) == ("李雷", made.email, {"tier": "2"})
    assert changed.version == 2 and get() == changed
    update = lambda: service.Update(customers_pb2.UpdateRequest(customer=change, update_mask=mask))
    error = refused(update, grpc.StatusCode.ABORTED)
    assert ("pando-version", "2") in [(key, value) for key, value in error.trailing_metadata() or error.initial_metadata()]
    delete = lambda version: service.Delete(customers_pb2.DeleteRequest(id=made.id, version=version))
    refused(lambda: delete(1), grpc.StatusCode.ABORTED)
    delete(2)
    refused(get, grpc.StatusCode.NOT_FOUND)
    refused(lambda: delete(0), grpc.StatusCode.NOT_FOUND)
    refused(lambda: create(id=made.id), grpc.StatusCode.ALREADY_EXISTS)


def test_every_bad_field_is_named():
    request = customers_pb2.CreateRequest(customer=customer_pb2.Customer(
        id="a/b", email="zoe", name=" ", phone="call me", metadata={"": "x", "k": "v" * 1_001}))
    error = refused(lambda: service.Create(request), grpc.StatusCode.INVALID_ARGUMENT)
    found = details(error)
    fields = sorted(violation.field for violation in found["BadRequest"].field_violations)
    assert fields == ["email", "id", "metadata.", "metadata.k", "name", "phone"], fields
    assert found["ErrorInfo"].reason == "INVALID" and found["ErrorInfo"].domain == "pando", found["ErrorInfo"]
    refused(lambda: service.Create(customers_pb2.CreateRequest()), grpc.StatusCode.INVALID_ARGUMENT)
    mask = field_mask_pb2.FieldMask(paths=["version"])
    made = create()
    request = customers_pb2.UpdateRequest(customer=made, update_mask=mask)
    refused(lambda: service.Update(request), grpc.StatusCode.INVALID_ARGUMENT)
    for limit, offset, token in [(-1, 0, ""), (1_001, 0, ""), (0, -1, ""), (0, 10_001, ""), (0, 0, "other")]:
        request = customers_pb2.ListRequest(limit=limit, offset=offset, page_token=token)
        refused(lambda: service.List(request), grpc.StatusCode.INVALID_ARGUMENT)


def test_a_history_has_every_change_with_the_values_before_and_after():
    made = create(name="Ann", metadata={"color": "red", "tier": "1"})
    mask = field_mask_pb2.FieldMask(paths=["name", "metadata.color", "metadata.tier"])
    change = customer_pb2.Customer(id=made.id, name="Bea", metadata={"color": "blue"})
    changed = service.Update(customers_pb2.UpdateRequest(customer=change, update_mask=mask))
    ask = lambda **fields: service.ListChanges(customers_pb2.ListChangesRequest(**{"id": made.id, **fields}))
    updated, created = ask().changes
    assert (updated.version, updated.operation, updated.changed_at) == (2, "updated", changed.updated_at)
    assert dict(updated.before) == {"name": "Ann", "metadata.color": "red", "metadata.tier": "1"}
    assert dict(updated.after) == {"name": "Bea", "metadata.color": "blue", "metadata.tier": None}
    assert (created.version, created.operation, created.changed_at) == (1, "created", made.created_at)
    assert created.after["email"] == made.email and not created.before.fields
    first = ask(limit=1)
    assert [one.version for one in first.changes] == [2] and first.next_before_version == 2
    last = ask(before_version=first.next_before_version)
    assert list(last.changes) == [created] and not last.next_before_version
    request = urllib.request.Request(f"{scheme}://{address}/api/v1/customers/{made.id}/history?before_version=3&limit=1")
    with urllib.request.urlopen(request, context=context) as answer:
        shown, link = json.loads(answer.read()), answer.headers["link"]
    assert "before_version=2" in link and [one["version"] for one in shown] == [2]
    assert (shown[0]["before"], shown[0]["after"]) == (dict(updated.before), dict(updated.after))
    for bad in [{"limit": -1}, {"limit": 1_001}, {"before_version": -1}]:
        error = refused(lambda: ask(**bad), grpc.StatusCode.INVALID_ARGUMENT)
        assert [violation.field for violation in details(error)["BadRequest"].field_violations] == list(bad)
    refused(lambda: ask(id=f"none-{RUN}"), grpc.StatusCode.NOT_FOUND)
    before = older.CustomerServiceStub(channel)
    assert before.ListChanges(customers_pb2.ListChangesRequest(id=made.id)) == ask()
    service.Delete(customers_pb2.DeleteRequest(id=made.id))
    refused(ask, grpc.StatusCode.NOT_FOUND)


def test_pages_are_newest_first_and_filters_find_one():
    email = f"List-{RUN}@example.org"
    ids = [create(name=f"c{number}", email=email, phone="044 668 18 00").id for number in range(25)]
    newest = list(reversed(ids))
    seen, token = [], ""
    while len(seen) < len(ids):
        page = service.List(customers_pb2.ListRequest(limit=10, page_token=token))
        seen += [found.id for found in page.customers]
        token = page.next_page_token
    assert seen[: len(ids)] == newest
    stepped = service.List(customers_pb2.ListRequest(limit=10, offset=10))
    assert [found.id for found in stepped.customers] == newest[10:20]
    assert len(service.List(customers_pb2.ListRequest()).customers) == 20
    found = service.List(customers_pb2.ListRequest(email=email.lower(), limit=1_000))
    assert [one.id for one in found.customers] == newest and not found.next_page_token
    found = service.List(customers_pb2.ListRequest(phone="044-668.18 00", email=email))
    assert [one.id for one in found.customers] == newest[:20] and found.next_page_token
    service.Delete(customers_pb2.DeleteRequest(id=newest[0]))
    assert service.List(customers_pb2.ListRequest(limit=1)).customers[0].id == newest[1], "a list is fresh at once"


def test_batches_are_all_or_nothing_or_each_by_itself():
    batch = customers_pb2.BatchCreateRequest
    taken = create(id=f"taken-{RUN}").id
    customers = [customer(name=f"b{number}") for number in range(50)]
    made = service.BatchCreate(batch(customers=customers))
    assert len(made.ids) == 50 and not made.refused
    names = [service.Get(customers_pb2.GetRequest(id=id)).name for id in made.ids]
    assert names == [one.name for one in customers]
    assert not service.BatchCreate(batch()).ids
    mixed = [customer(), customer(id=taken), customer(name=""), customer(id=f"new-{RUN}"), customer(id=f"new-{RUN}")]
    error = refused(lambda: service.BatchCreate(batch(customers=mixed)), grpc.StatusCode.INVALID_ARGUMENT)
    fields = sorted(violation.field for violation in details(error)["BadRequest"].field_violations)
    assert fields == ["customers[2].name", "customers[4].id"], fields
    error = refused(lambda: service.BatchCreate(batch(customers=mixed[:2])), grpc.StatusCode.ALREADY_EXISTS)
    assert [violation.field for violation in details(error)["BadRequest"].field_violations] == ["customers[1].id"]
    partial = service.BatchCreate(batch(customers=mixed, partial=True))
    assert len(partial.ids) == 2 and partial.ids[1] == f"new-{RUN}"
    assert [(one.index, one.field) for one in partial.refused] == [(1, "id"), (2, "name"), (4, "id")]
    many = service.BatchCreate(batch(customers=[customer(name=f"m{number}") for number in range(10_000)]))
    assert len(many.ids) == 10_000
    error = refused(lambda: service.BatchCreate(batch(customers=[customer()] * 10_001)), grpc.StatusCode.INVALID_ARGUMENT)
    assert "10000" in error.details(), error.details()


def test_a_key_makes_one_customer():
    key = (("idempotency-key", f"key-{RUN}"),)
    request = customers_pb2.CreateRequest(customer=customer())
    answers = []

    def send():
        while True:
            try:
                made, call = service.Create.with_call(request, metadata=key)
                answers.append((made, dict(call.initial_metadata())))
                return
            except grpc.RpcError as error:
                # Another one with the key is on its way.
                assert error.code() == grpc.StatusCode.ALREADY_EXISTS, error
                time.sleep(0.05)

    threads = [threading.Thread(target=send) for _ in range(100)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(answers) == 100 and len({made.SerializeToString(deterministic=True) for made, _ in answers}) == 1
    assert sum("idempotent-replayed" not in metadata for _, metadata in answers) == 1
    other = customers_pb2.CreateRequest(customer=customer())
    refused(lambda: service.Create(other, metadata=key), grpc.StatusCode.INVALID_ARGUMENT)


def over_http(method, path, body, key, version=None):
    """The status, the headers and the JSON of a request with a key."""
    headers = {"content-type": "application/json", "idempotency-key": key}
    if version is not None:
        headers["if-match"] = f'"{version}"'
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{scheme}://{address}/api/v1/customers{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, context=context) as answer:
            text = answer.read()
            return answer.status, answer.headers, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.loads(error.read())


def same(message, shown):
    assert (message.id, message.name, message.email) == (shown["id"], shown["name"], shown["email"])
    assert (message.version, dict(message.metadata)) == (shown["version"], shown["metadata"])


def test_a_key_counts_whichever_way_it_comes():
    for grpc_first in (True, False):
        key = f"both-{RUN}-{grpc_first}"
        given = {"name": "Ada", "email": "ada@example.org", "metadata": {"b": "2", "a": "1"}}
        request = customers_pb2.CreateRequest(customer=customer_pb2.Customer(**given))
        create_grpc = lambda: service.Create.with_call(request, metadata=(("idempotency-key", key),))
        create_http = lambda: over_http("POST", "", given, key)
        if grpc_first:
            made, call = create_grpc()
            assert "idempotent-replayed" not in dict(call.initial_metadata())
            status, headers, shown = create_http()
            assert (status, headers["idempotent-replayed"]) == (201, "true")
        else:
            status, headers, shown = create_http()
            assert (status, headers["idempotent-replayed"]) == (201, None)
            made, call = create_grpc()
            assert dict(call.initial_metadata())["idempotent-replayed"] == "true"
        same(made, shown)
        # Another request with the key is refused over both.
        other = customers_pb2.CreateRequest(customer=customer())
        refused(lambda: service.Create(other, metadata=(("idempotency-key", key),)), grpc.StatusCode.INVALID_ARGUMENT)
        assert over_http("POST", "", {**given, "name": "Bob"}, key)[0] == 422

        change = customer_pb2.Customer(id=made.id, name="Grace", version=1)
        update = customers_pb2.UpdateRequest(customer=change, update_mask=field_mask_pb2.FieldMask(paths=["name"]))
        update_grpc = lambda: service.Update(update, metadata=(("idempotency-key", f"{key}-u"),))
        update_http = lambda: over_http("PATCH", f"/{made.id}", {"name": "Grace"}, f"{key}-u", 1)[2]
        changed, shown = (update_grpc(), update_http()) if grpc_first else reversed((update_http(), update_grpc()))
        same(changed, shown)
        assert changed.version == 2, "changed once"

        # A refusal is repeated as well.
        stale_grpc = lambda: refused(
            lambda: service.Update(update, metadata=(("idempotency-key", f"{key}-s"),)), grpc.StatusCode.ABORTED)
        stale_http = lambda: over_http("PATCH", f"/{made.id}", {"name": "Grace"}, f"{key}-s", 1)[0]
        assert [stale_grpc(), stale_http()][1] == 412 if grpc_first else [stale_http(), stale_grpc()][0] == 412

        delete = customers_pb2.DeleteRequest(id=made.id, version=2)
        delete_grpc = lambda: service.Delete(delete, metadata=(("idempotency-key", f"{key}-d"),))
        delete_http = lambda: over_http("DELETE", f"/{made.id}", None, f"{key}-d", 2)[0]
        if grpc_first:
            delete_grpc()
        assert delete_http() == 204
        delete_grpc()

        batch = [{"name": f"n{number}", "email": f"n{number}@example.org"} for number in range(3)]
        customers = [customer_pb2.Customer(**one) for one in batch]
        batch_grpc = lambda: list(service.BatchCreate(
            customers_pb2.BatchCreateRequest(customers=customers), metadata=(("idempotency-key", f"{key}-b"),)).ids)
        batch_http = lambda: over_http("POST", "/batch", {"customers": batch}, f"{key}-b")[2]["ids"]
        ids = [batch_grpc(), batch_http()] if grpc_first else [batch_http(), batch_grpc()]
        assert ids[0] == ids[1] and len(ids[0]) == 3


def test_a_hundred_at_once_over_both_make_one():
    key, given = f"crowd-{RUN}", {"name": "Crowd", "email": f"crowd-{RUN}@example.org"}
    request = customers_pb2.CreateRequest(customer=customer_pb2.Customer(**given))
    ids = []

    def send(number):
        while True:
            if number % 2:
                status, _, shown = over_http("POST", "", given, key)
                if status == 201:
                    return ids.append(shown["id"])
                assert status == 409, shown
            else:
                try:
                    return ids.append(service.Create(request, metadata=(("idempotency-key", key),)).id)
                except grpc.RpcError as error:
                    assert error.code() == grpc.StatusCode.ALREADY_EXISTS, error
            # Another one with the key is on its way.
            time.sleep(0.05)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(100)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(ids) == 100 and len(set(ids)) == 1
    found = service.List(customers_pb2.ListRequest(email=given["email"]))
    assert [one.id for one in found.customers] == ids[:1]


def test_an_import_creates_those_that_can_be_created():
    taken = create(id=f"import-{RUN}").id

    def batches():
        for number in range(20):
            customers = [customer(name=f"i{number}.{place}") for place in range(100)]
            if number == 3:
                customers[7].name = ""
                customers[9].id = taken
            yield customers_pb2.ImportRequest(customers=customers)

    sent = list(batches())
    key = (("idempotency-key", f"import-{RUN}"),)
    done = service.Import(iter(sent), metadata=key)
    assert (done.created, done.refused) == (1_998, 2)
    assert [(one.index, one.field) for one in done.problems] == [(307, "name"), (309, "id")]
    assert service.Import(iter(sent), metadata=key) == done, "sent again, it creates nobody"
    assert service.Import(iter([])).created == 0


def test_an_export_has_everybody_once_and_goes_on_where_it_broke_off():
    ids = set(service.BatchCreate(customers_pb2.BatchCreateRequest(
        customers=[customer(name=f"e{number}") for number in range(1_200)])).ids)
    seen, token = [], ""
    for page in service.Export(customers_pb2.ExportRequest()):
        seen += [one.id for one in page.customers]
        token = page.page_token
        if len(seen) >= 1_000:
            break
    for page in service.Export(customers_pb2.ExportRequest(page_token=token)):
        seen += [one.id for one in page.customers]
        token = page.page_token
    assert not token and len(seen) == len(set(seen)) and ids <= set(seen)
    refused(lambda: list(service.Export(customers_pb2.ExportRequest(page_token="x"))), grpc.StatusCode.INVALID_ARGUMENT)


def changes(stream, count):
    """So many changes of a stream, and the position of the last one."""
    found, position = [], None
    for watched in stream:
        position = watched.position
        if watched.change:
            found.append((watched.change.removeprefix("customer_"), watched.id, watched.version))
        if len(found) == count:
            break
    stream.cancel()
    return found, position


def test_a_watch_tells_every_change_once_and_goes_on_from_a_position():
    watch = lambda position="": service.Watch(customers_pb2.WatchRequest(position=position), timeout=60)
    stream = watch()
    begin = next(stream).position
    ids = [f"w{number}-{RUN}" for number in range(3)]
    [create(id=id) for id in ids]
    change = customer_pb2.Customer(id=ids[1], name="Changed")
    service.Update(customers_pb2.UpdateRequest(customer=change, update_mask=field_mask_pb2.FieldMask(paths=["name"])))
    service.Delete(customers_pb2.DeleteRequest(id=ids[2]))
    batch = [customer(id=f"wb{number}-{RUN}") for number in range(5)]
    service.BatchCreate(customers_pb2.BatchCreateRequest(customers=batch))
    expected = [("created", id, 1) for id in ids] + [("updated", ids[1], 2), ("deleted", ids[2], 2)]
    expected += [("created", one.id, 1) for one in batch]
    found, _ = changes(stream, len(expected))
    assert found == expected, found
    again, _ = changes(watch(begin), len(expected))
    assert again == expected
    # From the middle of a batch, and one by one.
    one_by_one, position = [], begin
    for _ in expected:
        found, position = changes(watch(position), 1)
        one_by_one += found
    assert one_by_one == expected
    refused(lambda: next(watch("now")), grpc.StatusCode.INVALID_ARGUMENT)
    refused(lambda: next(watch("999999999")), grpc.StatusCode.INVALID_ARGUMENT)


def test_a_watch_goes_past_large_batches():
    stream = service.Watch(customers_pb2.WatchRequest(), timeout=60)
    begin = next(stream).position
    expected = []
    for size in (499, 500, 501, 10_000):
        batch = customers_pb2.BatchCreateRequest(customers=[customer(name="large") for _ in range(size)])
        expected += service.BatchCreate(batch).ids
        expected.append(create().id)
    found, _ = changes(stream, len(expected))
    assert [id for _, id, _ in found] == expected
    # From the end of a row that many events share, and from its middle.
    for place in (498, 499, 500, 1_400):
        head, position = changes(service.Watch(customers_pb2.WatchRequest(position=begin), timeout=60), place)
        rest, _ = changes(service.Watch(customers_pb2.WatchRequest(position=position), timeout=60), len(expected) - place)
        assert [id for _, id, _ in head + rest] == expected, place


def test_pages_of_large_customers_arrive():
    large = {f"k{number}": "x" * 1_000 for number in range(64)}
    batch = [customer(name="large", metadata=large) for _ in range(150)]
    ids = list(service.BatchCreate(customers_pb2.BatchCreateRequest(customers=batch[:75])).ids)
    ids += service.BatchCreate(customers_pb2.BatchCreateRequest(customers=batch[75:])).ids
    page = service.List(customers_pb2.ListRequest(limit=1_000))
    assert 10 < len(page.customers) < 150 and page.next_page_token
    seen = []
    for part in service.Export(customers_pb2.ExportRequest()):
        seen += [one.id for one in part.customers]
        if len(seen) >= len(ids):
            break
    assert seen[: len(ids)] == list(reversed(ids))
    refused(lambda: service.List(customers_pb2.ListRequest(page_token="eyJzb3J0IjoiZW1haWwiLCJrZXkiOiIiLCJpZCI6IjAxOTAwMDAwLTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMSJ9")), grpc.StatusCode.INVALID_ARGUMENT)


def test_a_thousand_bad_customers_are_refused_readably():
    batch = customers_pb2.BatchCreateRequest(customers=[customer(name="") for _ in range(1_000)])
    error = refused(lambda: service.BatchCreate(batch), grpc.StatusCode.INVALID_ARGUMENT)
    violations = details(error)["BadRequest"].field_violations
    assert violations[0].field == "customers[0].name" and "more values are invalid" in violations[-1].description
    request = customers_pb2.CreateRequest(customer=customer(metadata={"k" * 50_000: "x"}))
    error = refused(lambda: service.Create(request), grpc.StatusCode.INVALID_ARGUMENT)
    assert [violation.field for violation in details(error)["BadRequest"].field_violations] == ["metadata"]


def watch_until_it_dies():
    """Creates customers and watches them until the server is gone; notes what was created and what was seen."""
    seen = open(f"{stubs}/seen", "a")
    stream = service.Watch(customers_pb2.WatchRequest())
    print(next(stream).position, file=seen, flush=True)

    def watch():
        try:
            for watched in stream:
                print(watched.position, watched.id, file=seen, flush=True)
        except grpc.RpcError as error:
            assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED), error

    watching = threading.Thread(target=watch)
    watching.start()
    with open(f"{stubs}/created", "a") as created:
        for number in range(1_000_000):
            try:
                print(create(id=f"{ROUND}-{number}").id, file=created, flush=True)
                open(f"{stubs}/begun", "w").close()
            except grpc.RpcError as error:
                assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED), error
                break
    watching.join()


def watch_on():
    """Watches on from the last position that was seen: nothing is missing, and nothing comes twice."""
    def after(position, last):
        for watched in service.Watch(customers_pb2.WatchRequest(position=position), timeout=60):
            if watched.id:
                yield watched.id
            if watched.id == last:
                return

    compare(after)


def compare(after):
    """Compares the customers that were created with those that were seen, before and after the death of the server."""
    lines = [line.split() for line in open(f"{stubs}/seen")]
    seen = [line[1] for line in lines if len(line) > 1]
    created = open(f"{stubs}/created").read().split()
    # The last one may have been created although its caller never heard of it.
    rest = create(id=f"{ROUND}-last").id
    seen += after(lines[-1][0], rest)
    assert len(seen) == len(set(seen)), "something came twice"
    missing = set(created) - set(seen)
    assert not missing and len(seen) - len(created) in (1, 2), (missing, len(seen), len(created))


def streamed(path, headers=(), data=None):
    """A request whose answer is read as it comes."""
    request = urllib.request.Request(f"{scheme}://{address}/api/v1/customers{path}", data, dict(headers))
    return urllib.request.urlopen(request, timeout=60, context=context)


def imported(lines, key=None):
    """The answer to an import of lines, which are sent as they are made."""
    headers = {"content-type": "application/x-ndjson"} | ({"idempotency-key": key} if key else {})
    with streamed("/import", headers, (line.encode() + b"\n" for line in lines)) as answer:
        return json.load(answer)


def told(stream):
    """The events of a watch: its positions, and the change, id and version of each that tells of a change."""
    event = {}
    for line in stream:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name:
            event[name] = value
        elif event:
            data = json.loads(event.get("data", "{}"))
            assert data.get("change") == event.get("event")
            yield event.get("id"), data and (data["change"].removeprefix("customer_"), data["id"], data["version"])
            event = {}


def test_an_export_over_http_is_that_of_grpc_and_goes_on_behind_any_line():
    for part in range(5):
        batch = [customer(name=f"h{part}.{number}") for number in range(1_000)]
        service.BatchCreate(customers_pb2.BatchCreateRequest(customers=batch))
    expected = [one.id for page in service.Export(customers_pb2.ExportRequest()) for one in page.customers]
    assert len(expected) >= 5_000
    with streamed("/export") as answer:
        assert answer.headers["transfer-encoding"] == "chunked"
        # A reader that pauses while others are served, and then goes away.
        seen = [json.loads(answer.readline())["id"] for _ in range(2_345)]
        assert [one.id for page in service.Export(customers_pb2.ExportRequest()) for one in page.customers] == expected
    with streamed(f"/export?after={seen[-1]}") as answer:
        seen += [json.loads(line)["id"] for line in answer]
    assert seen == expected
    token = next(iter(service.Export(customers_pb2.ExportRequest()))).page_token
    with streamed(f"/export?cursor={token}") as answer:
        assert json.loads(answer.readline())["id"] in expected[1:1_001]


def test_an_import_is_the_same_over_both_ways():
    for grpc_first in (True, False):
        key = f"lines-{RUN}-{grpc_first}"
        given = [{"name": f"l{number}", "email": f"l{number}-{key.lower()}@example.org"} for number in range(1_700)]
        given[7]["name"], given[1_600]["email"] = "", "none"
        cut = [given[:1], given[1:1_000], given[1_000:]]
        messages = [customers_pb2.ImportRequest(customers=[customer_pb2.Customer(**one) for one in part]) for part in cut]
        over_grpc = lambda: service.Import(iter(messages), metadata=(("idempotency-key", key),))
        over_lines = lambda: imported(map(json.dumps, given), key)
        if grpc_first:
            done, lines = over_grpc(), over_lines()
        else:
            lines, done = over_lines(), over_grpc()
        assert (done.created, done.refused) == (lines["created"], lines["refused"]) == (1_698, 2)
        assert [(one.index, one.field) for one in done.problems] == [(7, "name"), (1_600, "email")]
        assert [(one["line"], one["field"]) for one in lines["problems"]] == [(8, "name"), (1_601, "email")]
        for number in (0, 600, 1_699):
            found = service.List(customers_pb2.ListRequest(email=given[number]["email"]))
            assert len(found.customers) == 1, "created once"
    lines = imported(["", "{", json.dumps({"name": "Good", "email": f"good-{RUN}@example.org"}), "[]"])
    assert (lines["created"], [one["line"] for one in lines["problems"]]) == (1, [2, 4]), lines


def test_a_watch_over_http_goes_on_from_a_position_of_grpc():
    stream = streamed("/watch")
    watched = told(stream)
    begin, nothing = next(watched)
    assert not nothing
    ids = list(service.BatchCreate(customers_pb2.BatchCreateRequest(customers=[customer() for _ in range(700)])).ids)
    expected = [("created", id, 1) for id in ids]
    # What was written just before may get its place in the log only now.
    ours = (event for event in watched if event[1] and event[1][1] in set(ids))
    seen = [next(ours) for _ in expected]
    stream.close()
    assert [change for _, change in seen] == expected
    found, _ = changes(service.Watch(customers_pb2.WatchRequest(position=seen[350][0]), timeout=60), 349)
    assert found == expected[351:]
    with streamed(f"/watch?position={begin}", {"last-event-id": seen[350][0]}) as again:
        watched = told(again)
        assert next(watched) == (seen[350][0], {}) and next(watched) == seen[351]
    for position in ("now", "999999999"):
        try:
            streamed(f"/watch?position={position}")
            raise AssertionError(f"{position} is not refused")
        except urllib.error.HTTPError as error:
            assert error.code == 422 and json.load(error)["errors"][0]["field"] == "position"


def events_until_it_dies():
    """Does what watch_until_it_dies does, with server-sent events and creations over HTTP."""
    seen = open(f"{stubs}/seen", "a")
    watched = told(streamed("/watch"))
    print(next(watched)[0], file=seen, flush=True)

    def watch():
        try:
            for position, change in watched:
                print(position, *change[1:2], file=seen, flush=True)
        except (OSError, http.client.HTTPException):
            pass

    watching = threading.Thread(target=watch)
    watching.start()
    with open(f"{stubs}/created", "a") as created:
        for number in range(1_000_000):
            given = {"id": f"{ROUND}-{number}", "name": "Ann", "email": "ann@example.org"}
            try:
                status, _, shown = over_http("POST", "", given, f"{ROUND}-{number}")
            except (OSError, http.client.HTTPException):
                break
            assert status == 201, shown
            print(shown["id"], file=created, flush=True)
            open(f"{stubs}/begun", "w").close()
    watching.join()


def events_on():
    """Does what watch_on does, with server-sent events."""
    def after(position, last):
        with streamed("/watch", {"last-event-id": position}) as stream:
            for _, change in told(stream):
                if change:
                    yield change[1]
                if change and change[1] == last:
                    return

    compare(after)


def until_it_dies():
    """Creates customers, each with its key, until the server is gone. The crash test of the house calls this."""
    for number in range(1_000_000):
        given = {"name": f"Key {number}", "email": f"{number}@{ROUND}.example.org"}
        request = customers_pb2.CreateRequest(customer=customer_pb2.Customer(**given))
        try:
            service.Create(request, metadata=(("idempotency-key", f"{ROUND}-{number}"),))
            open(f"{stubs}/begun", "w").close()
        except grpc.RpcError as error:
            assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED), error
            with open(f"{stubs}/sent", "w") as sent:
                sent.write(str(number))
            return


def again_after_its_death():
    """Sends all of them again, over HTTP: each is there once."""
    with open(f"{stubs}/sent") as sent:
        count = int(sent.read()) + 1
    assert count > 1, "nothing was made before it died"
    for number in range(count):
        given = {"name": f"Key {number}", "email": f"{number}@{ROUND}.example.org"}
        status, headers, shown = over_http("POST", "", given, f"{ROUND}-{number}")
        assert status == 201, shown
        # The last one may have been made or not.
        assert headers["idempotent-replayed"] == "true" or number == count - 1, number
        found = service.List(customers_pb2.ListRequest(email=given["email"]))
        assert [one.id for one in found.customers] == [shown["id"]], number


def test_fields_that_the_server_does_not_know_survive():
    known = customer(name="Unknown fields").SerializeToString()
    # Numbers of a newer version: a varint, eight bytes, text, four bytes.
    unknown = b"\xa8\x06\x07" + b"\xb1\x06" + b"12345678" + b"\xba\x06\x05later" + b"\xc5\x06abcd"
    given = customer_pb2.Customer.FromString(known + unknown)
    made = service.Create(customers_pb2.CreateRequest(customer=given))
    assert made.SerializeToString().endswith(unknown)
    read = service.Get(customers_pb2.GetRequest(id=made.id))
    assert read == made and read.SerializeToString().endswith(unknown)
    mask = field_mask_pb2.FieldMask(paths=["name"])
    change = customer_pb2.Customer(id=made.id, name="Other")
    changed = service.Update(customers_pb2.UpdateRequest(customer=change, update_mask=mask))
    assert changed.name == "Other" and changed.SerializeToString().endswith(unknown)
    listed = service.List(customers_pb2.ListRequest(limit=1)).customers[0]
    assert listed == changed and listed.SerializeToString().endswith(unknown)


def test_messages_are_compressed_for_those_who_ask():
    for encoding in (grpc.Compression.Gzip, grpc.Compression.NoCompression):
        with connect(compression=encoding) as other:
            stub = customers_pb2_grpc.CustomerServiceStub(other)
            batch = [customer(name="compressed", metadata={"text": "the same words " * 60}) for _ in range(500)]
            ids = list(stub.BatchCreate(customers_pb2.BatchCreateRequest(customers=batch)).ids)
            page = stub.List(customers_pb2.ListRequest(limit=500))
            assert [one.id for one in page.customers] == list(reversed(ids))
    # A message that grows beyond what the server takes is refused.
    bomb = customer(metadata={"text": "0" * 40_000_000})
    with connect(compression=grpc.Compression.Gzip) as other:
        stub = customers_pb2_grpc.CustomerServiceStub(other)
        request = customers_pb2.BatchCreateRequest(customers=[bomb])
        refused(lambda: stub.BatchCreate(request), grpc.StatusCode.RESOURCE_EXHAUSTED)


def test_a_deadline_ends_a_call_in_time():
    began = time.monotonic()
    request = customers_pb2.BatchCreateRequest(customers=[customer() for _ in range(10_000)])
    refused(lambda: service.BatchCreate(request, timeout=0.02), grpc.StatusCode.DEADLINE_EXCEEDED)
    assert time.monotonic() - began < 5


def credentials_are_asked_for():
    """With the keys that the test has put into the environment."""
    credential = lambda name: (("authorization", f"Bearer {os.environ[name]}"),)
    one = customers_pb2.CreateRequest(customer=customer())
    refused(lambda: service.Create(one), grpc.StatusCode.UNAUTHENTICATED)
    refused(lambda: service.Create(one, metadata=(("x-api-key", "sk_live_x"),)), grpc.StatusCode.UNAUTHENTICATED)
    refused(lambda: service.Create(one, metadata=credential("READER")), grpc.StatusCode.PERMISSION_DENIED)
    made = service.Create(one, metadata=credential("OPERATOR"))
    for _ in range(3):
        assert service.Get(customers_pb2.GetRequest(id=made.id), metadata=credential("READER")) == made
    gone = customers_pb2.DeleteRequest(id=made.id)
    refused(lambda: service.Delete(gone, metadata=credential("OPERATOR")), grpc.StatusCode.PERMISSION_DENIED)
    other = customers_pb2.GetRequest(id=made.id)
    refused(lambda: service.Get(other, metadata=credential("STRANGER")), grpc.StatusCode.NOT_FOUND)
    watch = service.Watch(customers_pb2.WatchRequest())
    refused(lambda: next(watch), grpc.StatusCode.UNAUTHENTICATED)
    service.Delete(gone, metadata=credential("ADMIN"))
    assert health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()).status == 1


def every_call_waits_for_the_table():
    key = (("idempotency-key", f"{RUN}-late"),)
    for call in (
        lambda: service.Get(customers_pb2.GetRequest(id=f"{RUN}-late"), timeout=0.3),
        lambda: service.List(customers_pb2.ListRequest(limit=7), timeout=0.3),
        lambda: service.Update(customers_pb2.UpdateRequest(customer=customer(id=f"{RUN}-late")), timeout=0.3),
        lambda: service.Create(customers_pb2.CreateRequest(customer=customer()), timeout=0.3, metadata=key),
    ):
        began = time.monotonic()
        refused(call, grpc.StatusCode.DEADLINE_EXCEEDED)
        assert time.monotonic() - began < 2


def test_the_older_name_has_the_same_customers():
    service_before = older.CustomerServiceStub(channel)
    made = service_before.Create(customers_pb2.CreateRequest(customer=customer()))
    assert service.Get(customers_pb2.GetRequest(id=made.id)) == made
    assert service_before.List(customers_pb2.ListRequest(limit=1)).customers[0] == made


def test_health_and_reflection_know_the_service():
    health = health_pb2_grpc.HealthStub(channel)
    for name in ["", "pando.customers.v1.CustomerService", "customer.v1.CustomerService"]:
        answer = health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    refused(lambda: health.Check(health_pb2.HealthCheckRequest(service="other")), grpc.StatusCode.NOT_FOUND)
    reflection = ProtoReflectionDescriptorDatabase(channel)
    names = set(reflection.get_services())
    assert {"pando.customers.v1.CustomerService", "customer.v1.CustomerService"} <= names, names
    file = reflection.FindFileContainingSymbol("pando.customers.v1.Customer")
    published = customer_pb2.DESCRIPTOR.message_types_by_name["Customer"]
    fields = {field.name: field.number for field in file.message_type[0].field}
    assert fields == {field.name: field.number for field in published.fields}


tests = [test for name, test in list(globals().items()) if name in named or not named and name.startswith("test_")]
for test in tests:
    try:
        test()
    except BaseException:
        print(f"{test.__name__} failed", file=sys.stderr)
        raise
print(f"{len(tests)} tests passed")
