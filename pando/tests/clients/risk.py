"""A client of risk decisions as the published one is, with Python's own libraries alone.

usage: risk.py ADDRESS KEY READER_KEY

It calls every published method, checks the type of every published key of each answer, and provokes the published errors.
"""

import datetime
import json
import pathlib
import sys
import urllib.error
import urllib.request

CONTRACT = json.loads(pathlib.Path(__file__).with_name("risk_contract.json").read_text())


class RiskError(Exception):
    """An answer that is not 2xx, as the published client parses it."""

    def __init__(self, status, body):
        self.status, self.body = status, body
        self.code, self.message = body["error"]["code"], body["error"]["message"]
        self.validation = body["error"].get("validation", [])
        super().__init__(f"{status} {self.code}: {self.message}")


class Risk:
    def __init__(self, address, key):
        self.base, self.key = f"http://{address}", key

    def send(self, method, path, content=None, media="application/json"):
        request = urllib.request.Request(self.base + path, content, method=method)
        if content is not None:
            request.add_header("Content-Type", media)
        if self.key:
            request.add_header("Authorization", f"Bearer {self.key}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            raise RiskError(error.code, json.loads(error.read())) from None

    def post(self, path, body):
        return self.send("POST", path, json.dumps(body).encode())

    def get(self, path):
        return self.send("GET", path)

    def assess(self, business):
        return self.post("/v1/assess", business)

    def get_assessment(self, id):
        return self.get(f"/v1/assess/{id}")

    def history(self, id):
        return self.get(f"/v1/assess/{id}/history")

    def predict(self, id, horizon_months, scenarios):
        return self.post(f"/v1/assess/{id}/predict", {"horizon_months": horizon_months, "scenarios": scenarios})

    def predict_advanced(self, business, horizons):
        switches = ["include_temporal_analysis", "include_scenario_analysis", "include_model_comparison"]
        more = {"prediction_horizons": horizons, "confidence_threshold": 0.7} | {name: True for name in switches}
        return self.post("/v1/risk/predict-advanced", business | more)

    def check_compliance(self, business):
        return self.post("/v1/compliance/check", business | {"compliance_types": ["kyc", "aml", "sanctions"]})

    def screen_sanctions(self, name, address, country):
        return self.post("/v1/sanctions/screen", {"business_name": name, "business_address": address, "country": country})

    def monitor_media(self, name, address):
        return self.post("/v1/media/monitor", {"business_name": name, "business_address": address, "monitoring_types": ["news"]})

    def trends(self):
        return self.get("/v1/analytics/trends?timeframe=30d&limit=10")

    def insights(self):
        return self.get("/v1/analytics/insights?risk_level=low")

    def batch(self, businesses):
        return self.post("/v1/assess/batch", {"requests": businesses})

    def model_info(self, kind):
        return self.get(f"/v1/models/{kind}/info")

    def performance(self):
        return self.get("/v1/models/performance")

    def analyze(self, business_id):
        return self.post("/v1/scenarios/analyze", {"business_id": business_id, "monte_carlo_runs": 100, "time_horizon": 12})

    def create_webhook(self, url, events):
        return self.post("/v1/webhooks", {"url": url, "events": events, "active": True})


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


SIMPLE = {
    "string": lambda value: isinstance(value, str),
    "number": is_number,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "time": lambda value: datetime.datetime.fromisoformat(value.replace("Z", "+00:00")).tzinfo is not None,
    "level": lambda value: value in ("low", "medium", "high", "critical"),
    "trend": lambda value: value in ("improving", "stable", "deteriorating"),
}


def check(shape, value, at):
    """Checks a value against a shape of the contract."""
    if isinstance(shape, dict):
        assert isinstance(value, dict), f"{at} is no object: {value!r}"
        for key, below in shape.items():
            assert key in value, f"{at}.{key} is missing"
            check(below, value[key], f"{at}.{key}")
    elif isinstance(shape, list):
        assert isinstance(value, list), f"{at} is no list: {value!r}"
        for place, item in enumerate(value):
            check(shape[0], item, f"{at}[{place}]")
    elif shape.endswith("?"):
        if value is not None:
            check(shape[:-1], value, at)
    elif shape in SIMPLE:
        assert SIMPLE[shape](value), f"{at} is no {shape}: {value!r}"
    else:
        check(CONTRACT["shapes"][shape], value, at)


def call_every_method(client):
    business = CONTRACT["business"]
    calls = 0

    def checked(shape, answer):
        nonlocal calls
        calls += 1
        check(shape, answer, shape)
        return answer

    made = checked("assessment", client.assess(business))
    assert checked("assessment", client.get_assessment(made["id"])) == made
    checked("history", client.history(made["id"]))
    assert len(checked("prediction", client.predict(made["id"], 12, ["optimistic", "crisis"]))["scenarios"]) == 2
    assert checked("advanced", client.predict_advanced(business, [3, 12]))["processing_time"] > 0
    assert len(checked("compliance", client.check_compliance(business))["checks"]) == 3
    listed = checked("screening", client.screen_sanctions("Viktor Zabolotnikov", "1 Main Street", "RU"))
    assert listed["sanctions_status"] == "match" and listed["matches"]
    monitored = checked("monitoring", client.monitor_media("Harrow & Finch Grain Ltd", "1 Main Street, Springfield"))
    assert monitored["monitoring_id"].startswith("mon_") and monitored["alerts"]
    assert checked("trends", client.trends())["summary"]["total_assessments"] >= 1
    checked("batch", client.batch([business] * 10))
    checked("insights", client.insights())
    checked("model", client.model_info("xgboost"))
    checked("model", client.model_info("lstm"))
    checked("performance", client.performance())
    checked("simulation", client.analyze(made["business_id"]))
    checked("webhook", client.create_webhook("https://hooks.example/", ["assessment.completed", "media.alert"]))
    return made["id"], calls


def provoke_every_error(address, keys, assessment):
    for case in CONTRACT["errors"]:
        path = case["path"].replace("{assessment}", assessment)
        content = case.get("text", json.dumps(case["body"]) if "body" in case else None)
        if case.get("large"):
            content = json.dumps({"business_name": "x" * 5_000_000})
        client = Risk(address, keys[case.get("key", "admin")])
        try:
            client.send(case["method"], path, content and content.encode(), case.get("type", "application/json"))
        except RiskError as error:
            assert (error.status, error.code) == (case["status"], case["code"]), f"{case['name']}: {error}"
            check("error", error.body, case["name"])
            assert error.body["method"] == case["method"], error.body
            assert error.body["path"].endswith(path.removeprefix("/v1")), error.body
            codes = [field["code"] for field in error.validation]
            assert codes == case.get("fields", codes), f"{case['name']}: {codes}"
        else:
            raise AssertionError(f"{case['name']}: no error")
    return len(CONTRACT["errors"])


def main():
    address, key, reader = sys.argv[1:]
    keys = {"admin": key, "reader": reader, "none": None, "wrong": "pando_wrong"}
    assessment, calls = call_every_method(Risk(address, key))
    errors = provoke_every_error(address, keys, assessment)
    print(json.dumps({"calls": calls, "errors": errors}))


if __name__ == "__main__":
    main()
