"""Has schemathesis send bodies that it does not know, and refuse answers that a credential should not get.

GRANTED says which scopes the credential of this run has: `*`, `*:read`, or nothing if there is no credential. Without GRANTED nobody is
asked.
"""

import os

import schemathesis

# NDJSON is text to it, and images are bytes.
schemathesis.serializer.alias("application/x-ndjson", "text/plain")
for image in ("jpeg", "png", "webp", "gif"):
    schemathesis.serializer.alias(f"image/{image}", "application/octet-stream")

GRANTED = os.environ.get("GRANTED")


@schemathesis.check
def credential_suffices(ctx, response, case):
    """An operation that asks for a scope refuses a credential without it."""
    security = case.operation.definition.raw.get("security")
    if GRANTED is None or not security:
        return
    if case.method.upper() != case.operation.method.upper():
        # Another operation of the path, or OPTIONS, which says no more than the document.
        return
    if {} in security and not GRANTED:
        # Guests are served.
        return
    scope = next(iter(requirement for requirement in security if requirement))
    scope = next(iter(scope.values()))[0]
    granted = GRANTED == "*" or GRANTED == "*:read" and scope.endswith(":read")
    refused = 403 if GRANTED else 401
    if granted:
        assert response.status_code not in (401, 403), f"{scope} is granted, but the answer is {response.status_code}"
    else:
        # A request that is refused before its caller is known is refused as well.
        allowed = (refused, 400, 405, 413, 414, 431)
        assert response.status_code in allowed, f"{scope} is not granted, but the answer is {response.status_code}"
