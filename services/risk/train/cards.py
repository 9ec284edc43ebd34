"""Model cards: figures measured on the held-out rows, and sentences about what they are worth."""

import numpy as np

import businesses

UNITS = 2.0**40
THRESHOLDS = [0.3, 0.6, 0.8]
TITLES = {
    "gradient_boosting": "Gradient-boosted trees on the request and on velocity",
    "sequence": "Gradient-boosted trees on the request, on velocity and on the history of scores",
    "ensemble": "Weighted mean of the log-odds of both tree models",
}
LIMITS = {
    "gradient_boosting": [
        "It does not read the trend, the spread or the mean of earlier scores; for horizons of 6 months and more, sequence does.",
    ],
    "sequence": [
        "It is no recurrent network. It is a second tree model, which also reads summaries of the history: the mean, spread and trend of earlier scores, the time since the first, and assessments a month.",
        "It learned from horizons of 4 months and more. At shorter horizons its score is an extrapolation.",
    ],
    "ensemble": [
        "It is not calibrated again: the mean of two calibrated log-odds is only nearly calibrated; the table shows how nearly.",
        "Its importances are the members' shares of gain, weighted by their mean weights; nothing was trained.",
    ],
    "every": [
        "The data is made. The figures say how well the trees recover what the generator put into the data, not how well they foresee the failure of real businesses.",
        "Before its scores decide anything about real businesses, train it on outcomes of your own, and measure it on held-out ones.",
        "The earlier scores in the data are the generator's. How the model does on a history of its own scores was not measured.",
        "It has no notion of groups of people, and nothing was measured about fairness. The effects of industries and countries are made up by the generator as well.",
        "A value outside the range of its feature counts as the nearest end of the range.",
    ],
}
OUTCOME = (
    "A business failed if, within the horizon (a horizon of 0 counts as one month), its money ran out or it was found to "
    "deceive. Both are drawn by the generator; no real business is in the data."
)


def sigmoid(log_odds):
    return 1 / (1 + np.exp(-log_odds))


def digits(value):
    return round(float(value), 6)


def data(rows, labels, horizons, column):
    counts = {}
    for name in rows:
        held = (rows[name][:, column] >= horizons[0]) & (rows[name][:, column] <= horizons[1])
        counts[name] = {"rows": int(held.sum()), "failed": int(labels[name][held].sum())}
    return {
        "generator": f"services/risk/train/businesses.py, version {businesses.VERSION}",
        "seed": businesses.SEED,
        "made": True,
        "outcome": OUTCOME,
        "splits": counts,
    }


def auc(units, failed):
    """The chance that a business that failed scores above one that did not; equals count half."""
    ordered = np.sort(units[~failed])
    below = np.searchsorted(ordered, units[failed], side="left")
    up_to = np.searchsorted(ordered, units[failed], side="right")
    return (below + up_to).sum() / 2 / (failed.sum() * (~failed).sum())


def measure(units, failed):
    log_odds = units / UNITS
    score = sigmoid(log_odds)
    # ln(1 + e^-z) for failures and ln(1 + e^z) for the others, without overflow.
    losses = np.logaddexp(0, np.where(failed, -log_odds, log_odds))
    return {
        "rows": len(failed),
        "failed": int(failed.sum()),
        "auc": digits(auc(units, failed)),
        "brier": digits(((score - failed) ** 2).mean()),
        "brier_of_the_base_rate": digits(failed.mean() * (1 - failed.mean())),
        "log_loss": digits(losses.mean()),
        "at": [at_threshold(score, failed, threshold) for threshold in THRESHOLDS],
    }


def at_threshold(score, failed, threshold):
    called = score >= threshold
    right = int((called & failed).sum())
    precision = right / max(int(called.sum()), 1)
    recall = right / max(int(failed.sum()), 1)
    return {
        "threshold": threshold,
        "called": int(called.sum()),
        "accuracy": digits((called == failed).mean()),
        "precision": digits(precision),
        "recall": digits(recall),
        "f1": digits(2 * precision * recall / max(precision + recall, 1e-12)),
    }


def measure_band(units, failed, held):
    figures = measure(units[held], failed[held])
    return {key: figures[key] for key in ("rows", "failed", "auc", "brier")}


def calibration(units, failed):
    score = sigmoid(units / UNITS)
    bins = np.minimum((score * 10).astype(int), 9)
    table = []
    for number in range(10):
        held = bins == number
        count = int(held.sum())
        table.append({
            "from": number / 10,
            "to": (number + 1) / 10,
            "count": count,
            "failed": int(failed[held].sum()),
            "predicted": digits(score[held].mean()) if count else None,
            "observed": digits(failed[held].mean()) if count else None,
        })
    return table


def importances(names, gains):
    """Every feature's share of the gain of all splits."""
    shares = dict(zip(names, gains / gains.sum()))
    return [{"feature": name, "gain": digits(shares.get(name, 0.0))} for name in businesses.NAMES]


def to_markdown(card):
    held = card["held_out"]
    at = [
        f"| {row['threshold']} | {row['called']} | {row['accuracy']:.4f} | {row['precision']:.4f} | {row['recall']:.4f} | {row['f1']:.4f} |"
        for row in held["at"]
    ]
    bands = [
        f"| {row['from']} to {row['to']} | {row['rows']} | {row['failed']} | {row['auc']:.4f} | {row['brier']:.4f} |"
        for row in card["by_horizon"]
    ]
    table = [
        f"| {row['from']} to {row['to']} | {row['count']} | {shown(row['predicted'])} | {shown(row['observed'])} |"
        for row in card["calibration"]
    ]
    ranked = sorted(card["importances"], key=lambda row: -row["gain"])
    gains = [f"| `{row['feature']}` | {row['gain']:.4f} |" for row in ranked if row["gain"] > 0]
    splits = [f"| {name} | {row['rows']} | {row['failed']} |" for name, row in card["data"]["splits"].items()]
    line = card["calibration_line"]
    trained = (
        f"Trained with {card['trained_with']}. Calibrated by Platt's line on the calibration split: "
        f"log-odds = {line['slope']} * raw + {line['intercept']}."
        if line
        else "Not trained: it weighs the two tree models by the horizon."
    )
    sections = [
        f"# {card['type']}, version {card['version']}\n\n{card['name']}. Written by `make train`; do not edit it.\n\n"
        f"{trained} Hash (BLAKE3): `{card['blake3']}`. Training date: {card['training_date']}.",
        "## Data\n\n**The data is made.** " + card["data"]["outcome"]
        + f" Generator: `{card['data']['generator'].replace(',', '`,')}, seed {card['data']['seed']}."
        + f" Horizons: {card['horizons'][0]} to {card['horizons'][1]} months.",
        rows_of("split | rows | failed", splits),
        f"## Measured on the held-out rows\n\n{held['rows']} rows, of which {held['failed']} failed. AUC {held['auc']:.4f}; "
        f"Brier score {held['brier']:.4f} (always saying the base rate: {held['brier_of_the_base_rate']:.4f}); "
        f"log-loss {held['log_loss']:.4f}.",
        rows_of("score at least | rows | accuracy | precision | recall | F1", at),
        rows_of("horizon in months | rows | failed | AUC | Brier score", bands),
        "## Calibration\n\nHeld-out rows by score: the mean score, and the share that failed.",
        rows_of("score | rows | predicted | observed", table),
        "## Importances\n\nShare of the gain of all splits.",
        rows_of("feature | gain", gains),
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in card["limits"]),
    ]
    return "\n\n".join(sections) + "\n"


def rows_of(head, rows):
    return f"| {head} |\n|{'---|' * (head.count('|') + 1)}\n" + "\n".join(rows)


def shown(value):
    return "" if value is None else f"{value:.4f}"
