"""Measure an evaluation report in a browser: size, errors, requests, widths, and the
lowest contrast of its texts.

    pip install playwright
    python benchmarks/report.py REPORT.html [--chromium /usr/bin/chromium] [--shots DIR]
"""

import argparse
from pathlib import Path

from playwright.sync_api import sync_playwright

SIZES = ((1280, 900), (390, 844), (320, 640))
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
)
WIDTH = "document.documentElement.scrollWidth - innerWidth"
# Contrast as WCAG 2.1 defines it, of each text with its background.
CONTRAST = """() => {
  const settings = {willReadFrequently: true};
  const canvas = document.createElement("canvas").getContext("2d", settings);
  const paint = (colors) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const color of colors) {
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
    }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => rgb.map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  let lowest = [21, ""];
  for (const element of document.querySelectorAll("body *")) {
    const nodes = [...element.childNodes].filter((node) => node.nodeType === 3);
    const text = nodes.map((node) => node.data).join("").trim();
    if (!text || !element.getClientRects().length) continue;
    const behind = [];
    for (let each = element; each; each = each.parentElement)
      behind.unshift(getComputedStyle(each).backgroundColor);
    const style = getComputedStyle(element);
    const color = element.closest("svg") ? style.fill : style.color;
    const [a, b] = [light(paint(behind)), light(paint([...behind, color]))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < lowest[0]) lowest = [ratio, text.slice(0, 40)];
  }
  return lowest;
}"""


def look(browser, path, size, scheme, shots):
    """Open the page in one size and color scheme, and print the measurements."""
    width, height = size
    view = {"width": width, "height": height}
    page = browser.new_page(viewport=view, color_scheme=scheme)
    errors, requests = [], []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.resolve().as_uri())
    contrast, text = page.evaluate(CONTRAST)
    print(
        f"{width} px, {scheme}: errors {errors}, more requests "
        f"{requests[1:]}, too wide by {page.evaluate(WIDTH)} px, lowest contrast "
        f"{contrast:.2f} ({text!r})"
    )
    if shots is not None:
        page.screenshot(path=shots / f"{width}-{scheme}.png", full_page=True)
    page.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--shots", type=Path)
    options = parser.parse_args()
    if options.shots is not None:
        options.shots.mkdir(parents=True, exist_ok=True)
    print(f"{options.report.stat().st_size:,} bytes")
    with sync_playwright() as playwright:
        launch = playwright.chromium.launch
        browser = launch(executable_path=options.chromium, args=QUIET)
        for size in SIZES:
            for scheme in ("light", "dark"):
                look(browser, options.report, size, scheme, options.shots)
        browser.close()


if __name__ == "__main__":
    main()
