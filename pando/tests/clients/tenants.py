"""Every gRPC method that the server describes, called for three tenants.

usage: tenants.py ADDRESS STUBS, with the keys of the tenants in OWNER, KNOWING and GUESSING, and others in READER and ADMIN.

The owner makes customers. The second tenant calls every method with the names of these, and the third one with names that
nothing ever had. Both get the same answers, and the customers are as they were. A method that this script cannot call
fails it.
"""

import os
import re
import sys

address, stubs = sys.argv[1:]
sys.path.insert(0, stubs)

import grpc
from customer.v1 import customer_pb2_grpc as older
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from pando.customers.v1 import customer_pb2, customers_pb2 as pb, customers_pb2_grpc as newer

# The services that are about nobody's data, and so for everybody.
OF_NOBODY = {"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}
STUBS = {
    "pando.customers.v1.CustomerService": newer.CustomerServiceStub,
    "customer.v1.CustomerService": older.CustomerServiceStub,
}

channel = grpc.insecure_channel(address)


def credential(name):
    return (("x-api-key", os.environ[name]),)


class Caller:
    """A tenant with some names, and a note of every answer."""

    def __init__(self, service, key, names):
        self.stub, self.key, self.names, self.notes = STUBS[service](channel), credential(key), names, []

    def customer(self, word="id", **fields):
        fields = {"name": "Ann", "email": self.names["email"], "phone": self.names["phone"]} | fields
        return customer_pb2.Customer(id=self.names[word], **fields)

    def call(self, method, request, key=None, ends=None):
        metadata = self.key + ((("idempotency-key", key),) if key else ())
        try:
            answer = getattr(self.stub, method)(request, metadata=metadata, timeout=30)
            if hasattr(answer, "__next__"):
                found = []
                for one in answer:
                    # Positions are about the whole log, and only their order means anything.
                    if hasattr(one, "position"):
                        one.position = ""
                    found.append(str(one))
                    if ends and ends(one):
                        break
                answer.cancel()
                answer = "".join(found)
            self.note(f"{method} {answer}")
        except grpc.RpcError as error:
            self.note(f"{method} {error.code()} {error.details()}")

    def note(self, text):
        if self.key == credential("OWNER"):
            # What is the owner's must stay as it is.
            self.notes.append(text)
            return
        # The names of nothing differ from those of things in these words.
        text = text.replace("guess", "owner").replace(self.names["phone"], "<phone>")
        text = re.sub(r"(seconds|nanos): \d+", "<time>", text)
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>", text)
        self.notes.append(text)


def get(it):
    for word in ("id", "other"):
        for _ in range(2):
            it.call("Get", pb.GetRequest(id=it.names[word]))


def list_(it):
    it.call("List", pb.ListRequest(limit=1000))
    for question in (
        {"email": it.names["email"]},
        {"phone": it.names["phone"]},
        {"page_token": it.names["page"]},
        {"offset": 1},
    ):
        it.call("List", pb.ListRequest(limit=100, **question))


def list_changes(it):
    it.call("ListChanges", pb.ListChangesRequest(id=it.names["id"]))


def export(it):
    for page in ("", it.names["page"]):
        it.call("Export", pb.ExportRequest(page_token=page))


def watch(it):
    it.call("Watch", pb.WatchRequest(position="now"))
    newest = it.stub.List(pb.ListRequest(limit=1), metadata=it.key).customers
    if newest:
        made = lambda event: event.change == "customer_created" and event.id == newest[0].id
        it.call("Watch", pb.WatchRequest(position=it.names["position"]), ends=made)
    else:
        it.call("Watch", pb.WatchRequest(position=it.names["position"]), ends=lambda event: True)


def update(it):
    for version in (0, 1):
        it.call("Update", pb.UpdateRequest(customer=it.customer(name="Taken", version=version)))
    it.call("Update", pb.UpdateRequest(customer=it.customer()), key=it.names["key"])


def delete(it):
    for version in (0, 1):
        it.call("Delete", pb.DeleteRequest(id=it.names["id"], version=version))
    it.call("Delete", pb.DeleteRequest(id=it.names["id"]), key=it.names["key"])


def create(it):
    for _ in range(2):
        it.call("Create", pb.CreateRequest(customer=it.customer()), key=it.names["key"])
    it.call("Create", pb.CreateRequest(customer=it.customer()))


def batch_create(it):
    for partial in (False, True):
        batch = [it.customer(), it.customer("other")]
        it.call("BatchCreate", pb.BatchCreateRequest(customers=batch, partial=partial))


def import_(it):
    for _ in range(2):
        parts = [pb.ImportRequest(customers=[it.customer("other"), it.customer("last")])]
        it.call("Import", iter(parts), key=it.names["key"] + "-import")


# How each method is called, and the scope that it asks for: those that read first, and those that make things last.
METHODS = {
    "Get": (get, "customers:read", pb.GetRequest()),
    "List": (list_, "customers:read", pb.ListRequest()),
    "ListChanges": (list_changes, "customers:read", pb.ListChangesRequest()),
    "Export": (export, "customers:read", pb.ExportRequest()),
    "Watch": (watch, "customers:read", pb.WatchRequest()),
    "Update": (update, "customers:write", pb.UpdateRequest()),
    "Delete": (delete, "customers:delete", pb.DeleteRequest()),
    "Create": (create, "customers:write", pb.CreateRequest()),
    "BatchCreate": (batch_create, "customers:write", pb.BatchCreateRequest()),
    "Import": (import_, "customers:write", iter([])),
}
READS = [name for name, (_, scope, _) in METHODS.items() if scope == "customers:read"]


def described():
    """The methods of every service, as the server itself describes them."""
    reflection = ProtoReflectionDescriptorDatabase(channel)
    found = {}
    for service in reflection.get_services():
        if service in OF_NOBODY:
            continue
        file = reflection.FindFileContainingSymbol(service)
        name = service.rsplit(".", 1)[1]
        found[service] = [method.name for one in file.service if one.name == name for method in one.method]
    return found


def first_answer(call):
    try:
        answer = call()
        return next(answer) if hasattr(answer, "__next__") else answer
    except StopIteration:
        return None


def check_credentials(service, method):
    """Without a credential, with one for reading, and with one for everything."""
    stub, (_, scope, request) = STUBS[service](channel), METHODS[method]
    for key, code in ((None, "UNAUTHENTICATED"), ("READER", "PERMISSION_DENIED")):
        if key and method in READS:
            continue
        try:
            first_answer(lambda: getattr(stub, method)(request, metadata=credential(key) if key else ()))
            raise AssertionError(f"{service}/{method} answers {key}")
        except grpc.RpcError as error:
            assert error.code().name == code, f"{service}/{method}: {error}"
            assert code == "UNAUTHENTICATED" or scope in error.details(), f"{service}/{method}: {error}"
    for key in ("READER", "ADMIN") if method in READS else ("ADMIN",):
        call = getattr(stub, method)(request, metadata=credential(key), timeout=30) if method == "Watch" else None
        try:
            first_answer(lambda: call or getattr(stub, method)(request, metadata=credential(key), timeout=30))
        except grpc.RpcError as error:
            refused = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
            assert error.code() not in refused, f"{service}/{method} with {key}: {error}"
        if call:
            call.cancel()


def owner_of(service):
    """A tenant's customers, and the names of nothing."""
    label = service.split(".")[0]
    names = {"id": f"{label}-of-owner-1", "other": f"{label}-of-owner-2", "last": f"{label}-of-owner-3"}
    names |= {"email": f"{label}@owner.example", "phone": "4930111222333", "key": f"{label}-key-of-owner"}
    names["position"] = BEGIN
    owner = Caller(service, "OWNER", names)
    for word in ("id", "other"):
        owner.stub.Create(
            pb.CreateRequest(customer=owner.customer(word)),
            metadata=owner.key + (("idempotency-key", names["key"] + word),),
        )
    names["page"] = owner.stub.List(pb.ListRequest(limit=1), metadata=owner.key).next_page_token
    nothing = {word: name.replace("owner", "guess") for word, name in names.items()}
    nothing |= {"phone": "4930999888777", "page": names["page"], "position": names["position"]}
    return names, nothing


def answers(service, key, names, method):
    caller = Caller(service, key, names)
    METHODS[method][0](caller)
    return caller.notes


watching = STUBS["pando.customers.v1.CustomerService"](channel).Watch(pb.WatchRequest(), metadata=credential("OWNER"))
BEGIN = next(watching).position
watching.cancel()
for service, methods in described().items():
    assert service in STUBS, f"tenants.py does not know the service {service}"
    assert set(methods) == set(METHODS), f"{service}: {set(methods) ^ set(METHODS)}"
    names, nothing = owner_of(service)
    before = {method: answers(service, "OWNER", names, method) for method in READS}
    for method in [*METHODS, *READS]:
        knowing = answers(service, "KNOWING", names, method)
        guessing = answers(service, "GUESSING", nothing, method)
        for one, other in zip(knowing, guessing, strict=True):
            assert one == other, f"{service}/{method} knows things of another tenant:\n{one}\n{other}"
    after = {method: answers(service, "OWNER", names, method) for method in READS}
    assert before == after, f"{service} shows that another tenant was here"
    for method in methods:
        check_credentials(service, method)
print(f"{len(METHODS)} methods")
