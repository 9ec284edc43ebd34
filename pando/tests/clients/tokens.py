"""Makes tokens, good and bad ones, for the tests of authentication.

python tokens.py FOLDER: writes the keys of three issuers to FOLDER/keys.json, FOLDER/rotated.json and FOLDER/secret, and prints the
tokens as JSON: {"name": "token"}.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

folder = Path(sys.argv[1])
# One of the keys is too short, and that is the point.
warnings.simplefilter("ignore")
ISSUER, AUDIENCE, SHARED = "https://login.example.org", "pando", "https://shared.example.org"
SECRET = "a-secret-that-both-sides-know-and-nobody-else"

keys = {
    "RS256": (RSAAlgorithm, rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    "ES256": (ECAlgorithm, ec.generate_private_key(ec.SECP256R1())),
    "EdDSA": (OKPAlgorithm, ed25519.Ed25519PrivateKey.generate()),
}
stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
later = ed25519.Ed25519PrivateKey.generate()


def published(name, algorithm, key):
    return algorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": name, "use": "sig"}


known = [published(name, *pair) for name, pair in keys.items()]
known.append(published("short", RSAAlgorithm, short))
# Keys for other purposes stand in such sets as well.
known += [{"kty": "oct", "kid": "oct", "k": "c2VjcmV0"}, {"kty": "new", "kid": "new"}]
(folder / "keys.json").write_text(json.dumps({"keys": known}))
(folder / "rotated.json").write_text(json.dumps({"keys": [published("later", OKPAlgorithm, later)]}))


def token(algorithm="RS256", key=None, kid=None, without=(), **claims):
    now = int(time.time())
    body = {"iss": ISSUER, "aud": AUDIENCE, "sub": "zoe", "iat": now, "exp": now + 600, "role": "operator"} | claims
    body = {name: value for name, value in body.items() if name not in without}
    headers = {"kid": kid or algorithm} if kid != "" else {}
    return jwt.encode(body, key or keys[algorithm][1], algorithm, headers=headers)


def raw(header, body, signature=""):
    encode = lambda part: jwt.utils.base64url_encode(json.dumps(part).encode()).decode()
    return f"{encode(header)}.{encode(body)}.{signature}"


now = int(time.time())
public = keys["RS256"][1].public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
confused = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
head = {"alg": "HS256", "typ": "JWT", "kid": "RS256"}
body = {"iss": ISSUER, "aud": AUDIENCE, "sub": "zoe", "exp": now + 600, "role": "admin"}
signed = raw(head, body)[:-1]
signature = jwt.utils.base64url_encode(confused.sign(signed.encode(), public)).decode()
good = token()
parts = good.split(".")

print(
    json.dumps(
        {
            "RS256": good,
            "ES256": token("ES256"),
            "EdDSA": token("EdDSA"),
            "HS256": token("HS256", SECRET, iss=SHARED),
            "audiences": token(aud=["other", AUDIENCE]),
            "scopes": token(scope="openid profiles:read"),
            "list": token(scope=["profiles:read", "profiles:write"]),
            "nothing": token(without=["role"]),
            "none": raw({"alg": "none", "typ": "JWT"}, body),
            "None": raw({"alg": "None", "typ": "JWT"}, body, parts[2]),
            "confused": f"{signed}.{signature}",
            "forged": token(key=stranger),
            "short": token(key=short, kid="short"),
            "changed": ".".join([parts[0], raw(head, body).split(".")[1], parts[2]]),
            "cut": good[:-10],
            "expired": token(exp=now - 60),
            "early": token(nbf=now + 300),
            "audience": token(aud="other"),
            "issuer": token(iss="https://evil.example.org"),
            "algorithm": jwt.encode(body, keys["RS256"][1], "RS512", headers={"kid": "RS256"}),
            "shared_with_rsa": token(iss=SHARED),
            "unknown_key": token(kid="other"),
            "oct": token("HS256", "secret-secret-secret-secret-secret", kid="oct"),
            "no_expiry": token(without=["exp"]),
            "no_subject": token(without=["sub"]),
            "no_audience": token(without=["aud"]),
            "no_issuer": token(without=["iss"]),
            "later": token("EdDSA", later, kid="later"),
            "acme": token(iss=ISSUER + "/tenants", tenant="acme"),
            "globex": token(iss=ISSUER + "/tenants", tenant="globex"),
            "no_tenant": token(iss=ISSUER + "/tenants"),
            "bad_tenant": token(iss=ISSUER + "/tenants", tenant="../acme"),
        }
    )
)
