"""Made-up results of `evaluate`."""

LABELS = ("PERSON", "PLACE", "VESSEL")


def make_score(f, support=100, predicted=90):
    names = {"p": f + 0.05, "r": f - 0.05, "f": f}
    bounds = {
        f"{name}_interval": [value - 0.03, value + 0.03]
        for name, value in names.items()
    }
    return {**names, **bounds, "support": support, "predicted": predicted}


NO_SCORE = {
    **dict.fromkeys(("p", "r", "f", "p_interval", "r_interval", "f_interval")),
    "support": 0,
    "predicted": 0,
}


def make_scores(labels, f=0.6):
    return {
        **{average: make_score(f) for average in ("micro", "macro", "weighted")},
        "labels": {label: make_score(f - i / 200) for i, label in enumerate(labels)},
    }


def make_errors():
    kinds = ("missed", "spurious", "wrong_label", "wrong_boundary")
    return {"correct": 60, **dict.fromkeys(kinds, 10), "wrong_label_and_boundary": 2}


def make_confusion(labels):
    n = len(labels) + 1
    rows = [[20 if i == j else (i + j) % 3 for j in range(n)] for i in range(n)]
    rows[-1][-1] = 0
    return {"labels": [*labels, "(none)"], "rows": rows}


def make_thresholds(labels):
    curve = [
        {"threshold": i / 20, "p": 0.5 + i / 50, "r": 0.9 - i / 25, "f": 0.6}
        for i in range(20)
    ]
    names = ("(all)", *labels)
    return {
        "curves": dict.fromkeys(names, curve),
        "best": dict.fromkeys(names, curve[7]),
    }


def make_calibration(labels):
    bins = [
        {
            "low": i / 10,
            "high": (i + 1) / 10,
            "count": i,
            "confidence": (i + 0.5) / 10 if i else None,
            "accuracy": i / 12 if i else None,
        }
        for i in range(10)
    ]
    return {
        "bins": bins,
        "ece": 0.1,
        "brier": 0.2,
        "log_loss": 0.7,
        "count": 45,
        "labels": {label: {"ece": 0.1, "brier": 0.2, "count": 9} for label in labels},
    }


def make_example(document=0, text="Ines Marlow sailed the Dunmore.", labels=LABELS):
    return {
        "document": document,
        "text": text,
        "gold": [
            {"start": 0, "end": 11, "label": labels[0]},
            {"start": 23, "end": 30, "label": labels[-1]},
        ],
        "predicted": [{"start": 0, "end": 4, "label": labels[0], "score": 0.93}],
        "kinds": {"missed": 1, "wrong_boundary": 1},
        "weight": 1.5,
        "reason": f"'Dunmore' is {labels[-1]}, as in training data, and was missed.",
    }


def make_entities(labels=LABELS, charts=False):
    """Without charts, which are slow to draw, no entity has a probability."""
    metrics = ("exact", "overlap", "token")
    scheme = {"precision": 0.6, "recall": 0.5, "f1": 0.55, "correct": 60, "missed": 9}
    group = ("1 token", "2 tokens", "3 tokens or more")
    seen = ("seen with this label", "seen with another label", "unseen")
    return {
        "metrics": {metric: make_scores(labels) for metric in metrics},
        "nervaluate": dict.fromkeys(("strict", "exact", "partial", "ent_type"), scheme),
        "errors": {**make_errors(), "labels": {each: make_errors() for each in labels}},
        "confusion": make_confusion(labels),
        "groups": {
            "entity_length": [{"name": name, **make_score(0.5)} for name in group],
            "seen": [{"name": name, **make_score(0.4)} for name in seen],
            "sentence_length": [{"name": "1 to 10 tokens", **make_score(0.7)}],
        },
        "thresholds": make_thresholds(labels) if charts else None,
        "calibration": make_calibration(labels) if charts else None,
        "examples": [make_example(i, labels=labels) for i in range(5)],
    }


def make_categories(labels=("letter", "logbook"), charts=False):
    return {
        "component": "textcat",
        "exclusive": True,
        "accuracy": 0.8,
        **make_scores(labels),
        "confusion": make_confusion(labels),
        "thresholds": make_thresholds(labels) if charts else None,
        "calibration": make_calibration(labels) if charts else None,
        "examples": [
            {
                "document": 3,
                "text": "Dear Ines, the ship is here.",
                "gold": [labels[0]],
                "predicted": [{"label": labels[-1], "score": 0.91}],
                "weight": 0.9,
            }
        ],
    }


def make_comparison(labels=LABELS):
    difference = {
        "ours": 0.6,
        "baseline": 0.5,
        "difference": 0.1,
        "interval": [0.02, 0.18],
        "p_value": 0.012,
    }
    both = dict.fromkeys("prf", difference)
    scores = {
        **dict.fromkeys(("micro", "macro", "weighted"), both),
        "labels": dict.fromkeys(labels, both),
    }
    example = make_example(labels=labels)
    return {
        "model": {"path": "models/older", "name": "older"},
        "differences": dict.fromkeys(("exact", "overlap", "token"), scores),
        "changed": {
            "better": 7,
            "worse": 3,
            "other": 1,
            "examples": [{**example, "baseline": example["gold"][:1]}],
        },
    }


def make_result(labels=LABELS, charts=False, **parts):
    return {
        "format": 1,
        "model": {"path": "models/best", "name": "ships", "version": "1.0"},
        "corpus": {"path": "test.spacy", "documents": 50, "tokens": 1200, "gold": 300},
        "settings": {"target": ["ents"], "resamples": 1000, "confidence": 0.95},
        "speed": {"seconds": 1.5, "words_per_second": 800.0},
        "notes": ["2 gold entities are misaligned and were left out."],
        "entities": make_entities(labels, charts),
        "categories": make_categories(charts=charts),
        "comparison": make_comparison(labels),
        **parts,
    }
