"""Makes data: businesses with the features of models/features.json, and whether each one failed.

Nobody measured any of it. Every business is drawn from the distributions below by a seeded generator. A business fails in
one of two ways: its money runs out (a monthly hazard that depends on its weakness, age, size, industry and country, and
that grows or shrinks with its trend), or it was made to deceive (a few are, and most of these are found out in the first
months). The features show both only through noise, as the comments say.
"""

import json
from pathlib import Path

import numpy as np

VERSION = 1
SEED = 20261128
SPLIT_ROWS = {"train": 60_000, "calibration": 20_000, "held_out": 10_000}
FEATURES = json.loads((Path(__file__).parent.parent / "models" / "features.json").read_text())["features"]
NAMES = [feature["name"] for feature in FEATURES]
MISSING = 0xFFFF

EARLIER_MAX = 24
# Shares of the ten industry groups, and what each adds to the logarithm of the hazard.
INDUSTRY_SHARES = [0.14, 0.09, 0.08, 0.11, 0.17, 0.08, 0.04, 0.08, 0.05, 0.16]
INDUSTRY_EFFECTS = [-0.1, 0.1, -0.4, -0.2, 0.35, 0.0, 0.05, 0.2, -0.35, 0.45]


def make(seed=SEED):
    """All rows of all splits: codes (rows x features), values with NaN for what is missing, and the outcomes."""
    random = np.random.default_rng(seed)
    rows = sum(SPLIT_ROWS.values())
    business = draw_businesses(random, rows)
    columns = describe(random, business) | remember(random, business)
    failed = outcomes(random, business)
    codes = np.stack([encode(feature, columns[feature["name"]]) for feature in FEATURES], axis=1)
    return codes, decode(codes), failed


def split(rows):
    """Rows are independent of each other, so that the splits are simply one after the other."""
    start, parts = 0, {}
    for name, count in SPLIT_ROWS.items():
        parts[name] = rows[start : start + count]
        start += count
    return parts


def encode(feature, values):
    """Steps above the least value, within the range; MISSING for NaN."""
    per_unit = feature["steps_per_unit"]
    clamped = np.clip(values, feature["min"], feature["max"])
    codes = np.rint(clamped * per_unit) - feature["min"] * per_unit
    return np.where(np.isnan(values), MISSING, np.nan_to_num(codes)).astype(np.uint16)


def decode(codes):
    """The values that the codes stand for, computed as `FeatureSpec::value` does."""
    least = np.array([feature["min"] * feature["steps_per_unit"] for feature in FEATURES], dtype=np.float64)
    per_unit = np.array([feature["steps_per_unit"] for feature in FEATURES], dtype=np.float64)
    return np.where(codes == MISSING, np.nan, (codes + least) / per_unit)


def draw_businesses(random, rows):
    """What is true of each business. The features see most of it only dimly."""
    industry = random.choice(10, rows, p=INDUSTRY_SHARES)
    country = random.choice(3, rows, p=[0.90, 0.085, 0.015])
    deceives = random.random(rows) < 0.035 * np.array([1.0, 2.0, 3.0])[country]
    # Those who deceive are young, whatever they say.
    years = np.where(deceives, random.gamma(1.0, 1.0, rows), random.gamma(1.3, 9.0, rows))
    size = random.normal(0.0, 1.0, rows) + 0.35 * np.log1p(years)
    weakness = random.normal(0.0, 1.0, rows)
    # Growth of the logarithm of the hazard in a month.
    trend = random.normal(0.0, 0.08, rows) + 0.012 * weakness
    hazard = (
        -4.6
        + 0.95 * weakness
        + np.array(INDUSTRY_EFFECTS)[industry]
        + np.array([0.0, 0.35, 0.8])[country]
        - 0.45 * np.log1p(years)
        - 0.25 * size
    )
    usual = random.choice(25, rows)
    horizon = np.where(random.random(rows) < 0.2, 3, usual)
    return {
        "industry": industry,
        "country": country,
        "deceives": deceives,
        "years": years,
        "size": size,
        "trend": trend,
        "hazard": hazard,
        "horizon": horizon,
    }


def outcomes(random, business):
    """Whether the business fails within the horizon; a horizon of 0 counts as one month."""
    months = np.maximum(business["horizon"], 1)
    trend = np.where(np.abs(business["trend"]) < 1e-6, 1e-6, business["trend"])
    worn = np.exp(business["hazard"]) * np.expm1(trend * months) / trend
    found_out = np.where(business["deceives"], 2.2 * (1 - np.exp(-months / 2.5)), 0.0)
    return random.random(len(months)) < 1 - np.exp(-worn - found_out)


def describe(random, business):
    """What the request says. Businesses that deceive are careless or hasty in it more often than others."""
    rows = len(business["years"])
    deceives = business["deceives"]

    def chance(honest, deceiving):
        return random.random(rows) < np.where(deceives, deceiving, honest)

    def unless(present, values):
        return np.where(present, values, np.nan)

    phone, email, website = chance(0.82, 0.70), chance(0.86, 0.93), chance(0.66, 0.42)
    free = chance(0.22, 0.66)
    # A business that is weak says less about its figures.
    tells = random.random(rows) < 1 / (1 + np.exp(-(0.6 - 0.35 * (business["hazard"] + 5.5))))
    revenue = 10 ** (5.3 + 0.55 * business["size"] + random.normal(0, 0.35, rows))
    employees = 10 ** (0.8 + 0.45 * business["size"] + random.normal(0, 0.3, rows))
    claimed = business["years"] * np.where(deceives, 1 + random.gamma(2.0, 2.0, rows), 1.0)
    shared = np.where(deceives, 0.9, 0.05)
    week = random.poisson(np.where(deceives, 1.6, 0.22))
    day = random.binomial(week, np.where(deceives, 0.6, 0.35))
    hour = random.binomial(day, np.where(deceives, 0.45, 0.25))
    screened = chance(0.95, 0.95)
    hits = np.where(chance(0.02, 0.14), 1 + random.poisson(0.4, rows), 0)
    number = chance(0.97, 0.9)
    return {
        "name_length": np.rint(random.gamma(7.0, 3.0, rows)) + 2,
        "name_digit_share": np.where(chance(0.06, 0.16), random.beta(1.2, 8.0, rows), 0.0),
        "name_uppercase_share": unless(
            chance(0.985, 0.985),
            np.where(chance(0.12, 0.24), 1.0, random.beta(3.0, 16.0, rows)),
        ),
        "name_legal_form": chance(0.72, 0.60).astype(float),
        "address_length": np.rint(random.gamma(9.0, np.where(deceives, 3.6, 4.6))) + 10,
        "address_parts": 1 + random.poisson(np.where(deceives, 1.6, 2.3)),
        "address_has_number": number.astype(float),
        "industry_group": 1.0 + business["industry"],
        "country_group": business["country"].astype(float),
        "phone_present": phone.astype(float),
        "phone_matches_country": unless(phone & chance(0.99, 0.99), chance(0.95, 0.66).astype(float)),
        "email_present": email.astype(float),
        "email_free_domain": unless(email, free.astype(float)),
        "website_present": website.astype(float),
        "email_matches_website": unless(email & website, (~free & chance(0.93, 0.7)).astype(float)),
        "annual_revenue_log": unless(tells, np.log10(1 + revenue)),
        "employee_count_log": unless(tells & chance(0.9, 0.8), np.log10(1 + np.rint(employees))),
        "years_in_business": unless(tells | chance(0.3, 0.3), claimed),
        "horizon_months": business["horizon"].astype(float),
        "assessed_1h": hour.astype(float),
        "assessed_24h": day.astype(float),
        "assessed_7d": week.astype(float),
        "same_address_7d": random.poisson(shared).astype(float),
        "same_phone_7d": unless(phone, random.poisson(shared * 0.7)),
        "same_email_7d": unless(email, random.poisson(shared * 0.5)),
        "list_hits": unless(screened, hits),
        "list_best_score": unless(screened & (hits > 0), random.uniform(0.7, 1.0, rows)),
    }


def remember(random, business):
    """What was stored of earlier assessments: scores that saw the hazard of their time, with noise, and no deceit."""
    rows = len(business["years"])
    known = ~business["deceives"] | (random.random(rows) < 0.4)
    count = np.where(known & (random.random(rows) < 0.7), random.geometric(0.16, rows), 0)
    count = np.minimum(count, EARLIER_MAX)
    last = random.exponential(25.0, rows)
    gap = random.exponential(28.0, (rows, EARLIER_MAX))
    days = last[:, None] + np.cumsum(gap, axis=1) - gap[:, :1]
    seen = np.arange(EARLIER_MAX)[None, :] < count[:, None]
    then = business["hazard"][:, None] - business["trend"][:, None] * days / 30
    # As an assessment with the usual horizon of three months would have scored it.
    scores = -np.expm1(-3 * np.exp(then + random.normal(0, 0.4, then.shape)))
    scores = np.rint(scores * 1000) / 1000
    number = np.maximum(count, 1)

    def mean(values):
        return np.where(seen, values, 0.0).sum(axis=1) / number

    mean_score, mean_days = mean(scores), mean(days)
    apart = days - mean_days[:, None]
    squares = mean(apart**2)
    slope = mean(apart * (scores - mean_score[:, None])) / np.where(squares > 0, squares, 1.0)
    first = np.take_along_axis(days, np.maximum(count - 1, 0)[:, None], axis=1)[:, 0]
    some, several = count > 0, count > 1
    return {
        "earlier_count": count.astype(float),
        "last_score": np.where(some, scores[:, 0], np.nan),
        "days_since_last": np.where(some, last, np.nan),
        "mean_score": np.where(some, mean_score, np.nan),
        "score_spread": np.where(several, np.sqrt(mean((scores - mean_score[:, None]) ** 2)), np.nan),
        # Days count backwards, hence the sign.
        "score_trend": np.where(several & (squares > 0), -30 * slope, np.nan),
        "days_since_first": np.where(some, first, np.nan),
        "assessed_per_month": np.where(some, count / np.maximum(first / 30, 1.0), np.nan),
    }
