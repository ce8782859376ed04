"""Regenerate the images of the README, in docs/assets.

    python -m scripts.pictures MODEL REPORT.html

MODEL is the pipeline of the demo and REPORT.html its report, as `make demo` writes them
to training/ and metrics/. Chromium must be on the PATH; Pillow comes with matplotlib.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import spacy
from PIL import Image, ImageChops
from spacy import displacy

ASSETS = Path(__file__).parents[1] / "docs" / "assets"
TEXT = (
    "Ines Marlow took the ferry Dunmore from Carrow to Bergen on Friday, and Hale & "
    "Sons in Leith sold her a Petrel 300."
)
COLORS = {
    "PERSON": "#a5d8ff",
    "ORG": "#ffd8a8",
    "PLACE": "#b2f2bb",
    "VESSEL": "#eebefa",
    "PRODUCT": "#ffec99",
}
WIDTH = 1000
# Down to the end of the bar of error types.
REPORT_HEIGHT = 570
PADDING = 16


def main(model: str, report: str) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("Error: Chromium is not on the PATH; install it and run this again")
    with TemporaryDirectory() as folder:
        page = Path(folder) / "entities.html"
        page.write_text(annotated(model), encoding="utf8")
        take(browser, page, ASSETS / "entities.png", 400)
    take(browser, Path(report).resolve(), ASSETS / "report.png", REPORT_HEIGHT)


def annotated(model: str) -> str:
    """The page of a sentence with its entities and their probabilities."""
    doc = spacy.load(model)(TEXT)
    ents = [
        {
            "start": ent.start_char,
            "end": ent.end_char,
            "label": f"{ent.label_} {ent._.score:.2f}",
        }
        for ent in doc.ents
    ]
    colors = {ent["label"]: COLORS[ent["label"].split()[0]] for ent in ents}
    page = displacy.render(
        {"text": doc.text, "ents": ents, "title": None},
        style="ent",
        manual=True,
        page=True,
        minify=True,
        jupyter=False,
        options={"colors": colors},
    )
    return page.replace("</head>", "<style>mark {white-space: nowrap}</style></head>")


def take(browser: str, page: Path, target: Path, height: int) -> None:
    """Take a picture of the top of a page, without its empty margins."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    size = f"--window-size={WIDTH},{height}"
    subprocess.run(
        [browser, *flags, size, f"--screenshot={target}", page.as_uri()],
        check=True,
        capture_output=True,
    )
    image = Image.open(target).convert("RGB")
    empty = Image.new("RGB", image.size, image.getpixel((0, 0)))
    box = ImageChops.difference(image, empty).getbbox() or (0, 0, *image.size)
    left, top = max(0, box[0] - PADDING), max(0, box[1] - PADDING)
    right, bottom = box[2] + PADDING, box[3] + PADDING
    image.crop((left, top, min(right, WIDTH), min(bottom, height))).save(
        target, optimize=True
    )
    sys.stdout.write(f"Wrote {target}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
