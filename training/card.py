"""The table of figures in the model card, between two marks, from `evaluate.py`'s figures.json."""

BEGIN, END = "<!-- figures: written by export.py --card -->", "<!-- end of figures -->"
UNMEASURED = "Not measured yet: `training/evaluate.py` does it."


def percent(share: float) -> str:
    """``0.8`` -> ``"80 %"``."""
    return f"{100 * share:.0f} %"


def _recognised(found: dict) -> list[tuple[str, str, str, str]]:
    painted, real, seen = found["painted"], found["real"], found["training"]
    rows = []
    for key, name, wanted in (
        ("all", "recognised, all things", "≥ 65 %"),
        ("animals", "recognised, animals", "≥ 75 %"),
        ("top5", "among the judge's first five", ""),
    ):
        if key in painted:
            beside = (
                f"strange drawings {percent(real.get(key, 0))}, through the autoencoder "
                f"{percent(found['real_autoencoder'].get(key, 0))}; the judge's own "
                f"{percent(seen.get(key, 0))}"
            )
            rows.append((name, percent(painted[key]), wanted, beside))
    never = f"{len(found['never'])} of {painted['things']}"
    return [*rows, ("things never recognised", never, "0", f"{painted['n']} pictures")]


def _synonyms(found: dict) -> list[tuple[str, str, str, str]]:
    kinds = (("names", "by a synonym"), ("tags", "by a tag of one thing only"))
    return [
        (f"recognised {name}", percent(found[key]["all"]), "", f"{found[key]['n']} words")
        for key, name in kinds
        if found[key]
    ]


def _styles(found: dict) -> list[tuple[str, str, str, str]]:
    real = f"strange drawings {percent(found['real'])}"
    rows = []
    for word, told in found["told"].items():
        own = "drawing" if word == "icon" else word
        beside = ""
        if own in found["training"]:
            beside = f"the judge's own {percent(found['training'][own])}, through the autoencoder "
            beside += percent(found["training_autoencoder"][own])
        beside += f"; {real}" if word == "drawing" else ""
        rows.append((f"style of “{word}”", percent(told["right"]), "", beside))
    return rows


def _categories(found: dict) -> list[tuple[str, str, str, str]]:
    return [
        (
            f"“{kind}” gives one",
            percent(told["right"]),
            "",
            f"{told['different']} different; {percent(told['any'])} of all things are",
        )
        for kind, told in found.items()
    ]


def _colour(found: dict) -> list[tuple[str, str, str, str]]:
    rows = [
        (
            f"image-to-image, {start}: colour error, recognised",
            f"{kept['error']:.3f}, {percent(kept['recognised'])}",
            "≤ 0.06, ≥ 70 %",
            "sRGB units of 0..1, before any correction",
        )
        for start, kept in found["kept"].items()
    ]
    for name, wanted in (("black", "0"), ("white", "1")):
        ground = found[name]
        value = f"{ground['from_start']:.2f}, {ground['from_words']:.2f}"
        rows.append((f"{name} ground: from a flat start, by words", value, wanted, "mean value"))
    return rows


def _variety(found: dict) -> list[tuple[str, str, str, str]]:
    rows = []
    for key, name in (("lpips", "judge's features"), ("pixels", "pixels")):
        f = found[key]
        beside = f"training pictures {f['training']:.3f}"
        rows.append((f"distance of two seeds, {name}", f"{f['painted']:.3f}", "", beside))
        beside = (
            f"least {f['nearest_of_all']:.3f}; a training picture to another of the same drawing "
            f"{f['nearest_training']:.3f}"
        )
        rows.append((f"nearest training picture, {name}", f"{f['nearest']:.3f}", "", beside))
    return rows


def _ensembles(found: dict) -> list[tuple[str, str, str, str]]:
    if not found:
        return []
    told, alone = found["together"], found["alone"]
    beside = (
        f"hybrid {percent(told['hybrid'])}, side by side {percent(told['both'])}; "
        f"one prompt alone {percent(alone['either'])}"
    )
    return [("two animals: both or a hybrid", percent(told["either"]), "most", beside)]


def _inpainting(found: dict) -> list[tuple[str, str, str, str]]:
    return [
        (
            f"masked area of {percent(told['side'])} of a side: seam, recognised",
            f"{told['seam']:.2f}, {percent(told['recognised'])}",
            "1",
            f"the same a latent further in {told['within']:.2f}; another picture pasted "
            f"{told['pasted']:.2f}; the untouched picture {percent(told['real'])}, the area left "
            f"grey {percent(told['left'])}",
        )
        for told in found.values()
    ]


def _cost(found: dict) -> list[tuple[str, str, str, str]]:
    passes = f"{found['passes']} of the network, {found['gflop']:.1f} GFLOP with the decoder"
    sharp = found["sharpness"]
    beside = f"autoencoder {sharp['autoencoder']:.4f}, drawings {sharp['drawings']:.4f}"
    return [
        ("size", f"{found['megabytes']:.1f} MB", "≤ 64 MB", ""),
        ("passes a picture", passes, "", "without guidance"),
        ("picture", f"{found['side']} x {found['side']} px", "128 x 128 px", ""),
        ("sharpness (gradient energy)", f"{sharp['painted']:.4f}", "", beside),
    ]


ROWS = {
    "recognised": _recognised,
    "synonyms": _synonyms,
    "styles": _styles,
    "categories": _categories,
    "colour": _colour,
    "variety": _variety,
    "ensembles": _ensembles,
    "inpainting": _inpainting,
    "cost": _cost,
}


def table(figures: dict) -> str:
    """The figures as a Markdown table, with what each is measured against."""
    about = figures["about"]
    lines = [
        f"At {about['steps']} steps without guidance, by `training/evaluate.py`. *Recognised* is "
        "the first choice of a classifier of real drawings (`training/judge.py`) among "
        f"{len(about['judge'])} things; *strange drawings* are by an artist that it never saw.",
        "",
        "| figure | value | wanted | beside it |",
        "| --- | --- | --- | --- |",
    ]
    for section, rows in ROWS.items():
        if section in figures:
            lines += [f"| {' | '.join(row)} |" for row in rows(figures[section])]
    return "\n".join(lines)


def section(text: str = UNMEASURED) -> str:
    """The generated section of a card."""
    return f"{BEGIN}\n{text}\n{END}"


def with_figures(card: str, figures: dict) -> str:
    """A model card with its generated section replaced.

    Raises:
        SystemExit: The card has no such section.
    """
    before, begun, rest = card.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (begun and ended):
        raise SystemExit(f"the model card has no section to write to: add {BEGIN} and {END}")
    return before + section(table(figures)) + after
