"""Trains the models of services/risk/models on made data, and writes them, their cards and the files of the tests.

`make train` runs it. One seed, one thread and pinned packages: the same files come out byte for byte.
With `--check` it writes nothing, and fails if a file in the repository differs from what it makes.
"""

import json
import sys
from pathlib import Path

import blake3
import lightgbm
import numpy as np

import businesses
import cards

ROOM = Path(__file__).parent.parent
VERSION = "1"
# When the data and the parameters below were last changed.
TRAINING_DATE = "2026-11-28"
# Leaves count in units of 2^-40 log-odds: sums of whole numbers are exact in any order.
UNITS = 2.0**40
# Sixteen leaves instead of eight raise the AUC on the calibration split by 0.001, and double the cost of an explanation.
HYPERPARAMETERS = {
    "objective": "binary",
    "num_trees": 200,
    "num_leaves": 8,
    "max_depth": 6,
    "learning_rate": 0.08,
    "min_data_in_leaf": 100,
    "lambda_l2": 5.0,
    "seed": 1,
}
TRENDS = ["mean_score", "score_spread", "score_trend", "days_since_first", "assessed_per_month"]
NAMES = businesses.NAMES
HORIZON = NAMES.index("horizon_months")
# Per type: the features that it reads, and the horizons that it learns from and is measured on.
TYPES = {
    "gradient_boosting": ([name for name in NAMES if name not in TRENDS], [0, 24]),
    "sequence": (NAMES, [4, 24]),
}
# The ensemble's weights in quarters, so that weighted sums are exact as well.
WEIGHTS = [
    {"up_to_months": 3, "gradient_boosting": 3, "sequence": 1},
    {"up_to_months": 5, "gradient_boosting": 2, "sequence": 2},
    {"up_to_months": 24, "gradient_boosting": 1, "sequence": 3},
]
GOLDEN_ROWS = 10_000


def main():
    codes, values, failed = businesses.make()
    rows, labels = businesses.split(values), businesses.split(failed)
    golden = businesses.decode(golden_codes())
    files, units, models = {}, {}, {}
    for kind in TYPES:
        booster, calibration = train(kind, rows, labels)
        model = export(kind, booster, calibration)
        units[kind] = score_units(model, booster, rows["held_out"])
        compare(kind, units[kind] / UNITS, trainers_own(booster, calibration, rows["held_out"]))
        own = trainers_own(booster, calibration, golden)
        compare(kind, score_units(model, booster, golden) / UNITS, own)
        files[f"tests/model/golden-{kind}-{VERSION}.f64"] = own.astype("<f8").tobytes()
        files[f"models/{kind}-{VERSION}.json"] = render(model)
        models[kind] = {
            "calibration": calibration,
            "gains": booster.feature_importance("gain"),
            "uses": TYPES[kind][0],
            "hyperparameters": HYPERPARAMETERS,
        }
    ensemble = combine(files, models)
    files[f"models/ensemble-{VERSION}.json"] = json.dumps(ensemble, indent=1).encode() + b"\n"
    units["ensemble"] = combine_units(units, rows["held_out"][:, HORIZON])
    for kind, model in models.items():
        text = files[f"models/{kind}-{VERSION}.json"]
        card = make_card(kind, model, blake3.blake3(text).hexdigest(), units[kind], rows, labels)
        files[f"models/{kind}-{VERSION}.card.json"] = json.dumps(card, indent=1).encode() + b"\n"
        files[f"models/{kind}-{VERSION}.card.md"] = cards.to_markdown(card).encode()
    held_out = businesses.split(codes)["held_out"]
    files["tests/model/held_out.u16"] = held_out.astype("<u2").tobytes()
    files["tests/model/held_out.failed"] = labels["held_out"].astype(np.uint8).tobytes()
    finish(files, check="--check" in sys.argv[1:])


def train(kind, rows, labels):
    """The trees, and Platt's line through their raw scores, fitted on rows that the trees never saw."""
    uses, (first, _) = TYPES[kind]
    columns = [NAMES.index(name) for name in uses]

    def part(name):
        learns = rows[name][:, HORIZON] >= first
        return rows[name][learns][:, columns], labels[name][learns].astype(np.float64)

    parameters = {key: value for key, value in HYPERPARAMETERS.items() if key != "num_trees"}
    parameters |= {"num_threads": 1, "deterministic": True, "force_row_wise": True, "verbose": -1}
    values, failed = part("train")
    data = lightgbm.Dataset(values, failed, feature_name=uses)
    booster = lightgbm.train(parameters, data, HYPERPARAMETERS["num_trees"])
    values, failed = part("calibration")
    return booster, platt(booster.predict(values, raw_score=True), failed)


def platt(raw, failed):
    """The slope and intercept of calibrated log-odds = slope * raw + intercept, by Newton's method."""
    line = np.array([1.0, 0.0])
    design = np.stack([raw, np.ones_like(raw)], axis=1)
    for _ in range(25):
        score = cards.sigmoid(design @ line)
        curve = design.T @ (design * (score * (1 - score))[:, None])
        line -= np.linalg.solve(curve, design.T @ (score - failed))
    # Fewer digits than a float has, so that the last ones of another machine's arithmetic do not matter.
    return {"slope": round(float(line[0]), 9), "intercept": round(float(line[1]), 9), "rows": len(raw)}


def trainers_own(booster, calibration, values):
    """Calibrated log-odds from LightGBM's own prediction."""
    columns = [NAMES.index(name) for name in booster.feature_name()]
    raw = booster.predict(values[:, columns], raw_score=True)
    return calibration["slope"] * raw + calibration["intercept"]


def export(kind, booster, calibration):
    """The flat form of the trees, with the calibration in the leaves."""
    offset = round(calibration["intercept"] * UNITS)
    trees = []
    for dumped in booster.dump_model()["tree_info"]:
        nodes, leaves = [], []
        collect(dumped["tree_structure"], nodes, leaves)
        nodes.sort(key=lambda node: node["split_index"])
        leaves.sort(key=lambda leaf: leaf["leaf_index"])
        if not nodes:
            offset += round(calibration["slope"] * leaves[0]["leaf_value"] * UNITS)
            continue
        trees.append({
            "feature": [NAMES.index(booster.feature_name()[node["split_feature"]]) for node in nodes],
            "threshold": [node["threshold"] for node in nodes],
            "missing_left": [int(missing_goes_left(node)) for node in nodes],
            "left": [child(node["left_child"]) for node in nodes],
            "right": [child(node["right_child"]) for node in nodes],
            "leaf": [round(calibration["slope"] * leaf["leaf_value"] * UNITS) for leaf in leaves],
            "rows": [leaf["leaf_count"] for leaf in leaves],
        })
    return {
        "format": "pando.risk.trees/1",
        "type": kind,
        "version": VERSION,
        "features": NAMES,
        "offset": offset,
        "trees": trees,
    }


def collect(node, nodes, leaves):
    if "leaf_index" in node or "leaf_value" in node:
        leaves.append({"leaf_index": 0} | node)
        return
    assert node["decision_type"] == "<=", node["decision_type"]
    nodes.append(node)
    collect(node["left_child"], nodes, leaves)
    collect(node["right_child"], nodes, leaves)


def child(node):
    """An inner node is its index; a leaf is -1 - its index."""
    return -1 - node["leaf_index"] if "leaf_index" in node else node["split_index"]


def missing_goes_left(node):
    """LightGBM reads NaN as 0 where the training rows had no missing value, and as `default_left` says elsewhere."""
    return node["default_left"] if node["missing_type"] == "NaN" else 0.0 <= node["threshold"]


def score_units(model, booster, values):
    """Log-odds in units, from the leaves that LightGBM itself finds."""
    columns = [NAMES.index(name) for name in booster.feature_name()]
    found = booster.predict(values[:, columns], pred_leaf=True).astype(np.int64)
    found = found[:, [index for index, tree in enumerate(booster.dump_model()["tree_info"]) if tree["num_leaves"] > 1]]
    total = np.full(len(values), model["offset"], dtype=np.int64)
    for number, tree in enumerate(model["trees"]):
        total += np.array(tree["leaf"], dtype=np.int64)[found[:, number]]
    return total


def compare(kind, ours, own):
    difference = np.abs(ours - own).max()
    assert difference < 1e-9, f"{kind} differs from LightGBM by {difference}"
    print(f"{kind}: {len(own)} rows differ from LightGBM's own by at most {difference:.1e}")


def render(model):
    """One tree a line: small, and a difference between two versions can be read."""
    head = {key: value for key, value in model.items() if key != "trees"}
    lines = [json.dumps(tree, separators=(",", ":")) for tree in model["trees"]]
    text = json.dumps(head, separators=(",", ":"))[:-1] + ',"trees":[\n' + ",\n".join(lines) + "\n]}\n"
    return text.encode()


def combine(files, models):
    """The ensemble's file names its members by type, version and hash; its card has no calibration of its own."""
    members = {}
    for kind in TYPES:
        hash_of = blake3.blake3(files[f"models/{kind}-{VERSION}.json"]).hexdigest()
        members[kind] = {"version": VERSION, "blake3": hash_of}
    models["ensemble"] = {
        "calibration": None,
        "gains": models["sequence"]["gains"] * 0.0,
        "uses": NAMES,
        "hyperparameters": {"weights_in_quarters": WEIGHTS},
    }
    # Every member's gains count by the weight that it has on average over the held-out horizons' bands.
    for kind in TYPES:
        weight = sum(band[kind] for band in WEIGHTS) / sum(sum(band[member] for member in TYPES) for band in WEIGHTS)
        shares = models[kind]["gains"] / models[kind]["gains"].sum()
        for name, share in zip(models[kind]["uses"], shares):
            models["ensemble"]["gains"][NAMES.index(name)] += weight * share
    return {
        "format": "pando.risk.ensemble/1",
        "type": "ensemble",
        "version": VERSION,
        "members": members,
        "weights_in_quarters": WEIGHTS,
    }


def combine_units(units, horizons):
    """In quarters of a unit of the members, given back in units."""
    total = np.zeros(len(horizons))
    bands = np.searchsorted([band["up_to_months"] for band in WEIGHTS], horizons)
    for kind in TYPES:
        total += np.array([band[kind] for band in WEIGHTS])[bands] * (units[kind] / 4)
    return total


def make_card(kind, model, hash_of, units, rows, labels):
    horizons = TYPES[kind][1] if kind in TYPES else [0, 24]
    months = rows["held_out"][:, HORIZON]
    held = (months >= horizons[0]) & (months <= horizons[1])
    failed = labels["held_out"]
    return {
        "format": "pando.risk.card/1",
        "name": cards.TITLES[kind],
        "type": kind,
        "version": VERSION,
        "blake3": hash_of,
        "training_date": TRAINING_DATE,
        "trained_with": f"LightGBM {lightgbm.__version__}, NumPy {np.__version__}" if kind in TYPES else None,
        "data": cards.data(rows, labels, horizons, HORIZON),
        "horizons": horizons,
        "hyperparameters": model["hyperparameters"],
        "calibration_line": model["calibration"],
        "held_out": cards.measure(units[held], failed[held]),
        "by_horizon": [
            {"from": first, "to": last} | cards.measure_band(units, failed, (months >= first) & (months <= last))
            for first, last in ((0, 3), (4, 5), (6, 12), (13, 24))
        ],
        "calibration": cards.calibration(units[held], failed[held]),
        "importances": cards.importances(model["uses"], model["gains"]),
        "limits": cards.LIMITS[kind] + cards.LIMITS["every"],
    }


def golden_codes():
    """Rows over the whole range of every feature, the same as in tests/model/golden.rs: a linear congruential generator
    gives 31 bits for each cell; one in ten is missing, and the others are steps above the least value."""
    state, cells = 20261128, []
    steps = [(feature["max"] - feature["min"]) * feature["steps_per_unit"] + 1 for feature in businesses.FEATURES]
    for _ in range(GOLDEN_ROWS):
        for count in steps:
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            bits = state >> 33
            cells.append(businesses.MISSING if bits % 10 == 0 else bits // 10 % count)
    return np.array(cells, dtype=np.int64).reshape(GOLDEN_ROWS, len(steps))


def finish(files, check):
    different = []
    for name, content in files.items():
        path = ROOM / name
        if check:
            if not path.exists() or path.read_bytes() != content:
                different.append(name)
        else:
            path.write_bytes(content)
    if different:
        sys.exit(f"these files are not what the training makes: {', '.join(different)}")
    size = sum(len(content) for content in files.values())
    print(f"{len(files)} files of {size} bytes are {'as made' if check else 'written'}")


if __name__ == "__main__":
    main()
