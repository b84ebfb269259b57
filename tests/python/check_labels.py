"""Open the label images that a server serves with ome-zarr-models and ome-zarr-py, and compare every pixel.

    check_labels.py LISTING

LISTING is a JSON file, {URL of an image: types of objects}, with types as check_export.py has them. URLs are asked with
the token in TMSERVER_TEST_TOKEN. Label images that are not listed must be absent. Exit status 0 only if everything is as
listed.
"""

import json
import sys
from pathlib import Path

from check_export import check_labels
from check_zarr import send_token

if __name__ == "__main__":
    send_token()
    images = json.loads(Path(sys.argv[1]).read_text())
    for image, types in images.items():
        check_labels(image, types)
    print(f"OK: {len(images)} images with labels")
