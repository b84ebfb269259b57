"""What there is of tmclient 0.3.3, which check of `drive_tmclient_checklist.py` covers it, a server to check it
on, and what the checks share."""

import argparse
import inspect
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import requests
import tmclient.cli
from drive_tmclient import Acquisition, CommandLine, equal
from tmclient import TmClient

EXPERIMENT = 'every "thing", µm'

# Which check covers a public method of the library.
METHODS = {
    "get_experiments": "experiments",
    "create_experiment": "experiments",
    "rename_experiment": "experiments",
    "delete_experiment": "experiments",
    "get_plates": "plates",
    "create_plate": "plates",
    "rename_plate": "plates",
    "delete_plate": "plates",
    "get_acquisitions": "acquisitions",
    "create_acquisition": "acquisitions",
    "rename_acquisition": "acquisitions",
    "delete_acquisition": "acquisitions",
    "get_microscope_files": "files",
    "upload_microscope_files": "files",
    "download_workflow_description": "descriptions",
    "download_workflow_description_file": "descriptions",
    "upload_workflow_description": "descriptions",
    "upload_workflow_description_file": "descriptions",
    "submit_workflow": "workflow",
    "resubmit_workflow": "workflow",
    "kill_workflow": "workflow",
    "get_workflow_status": "workflow",
    "get_wells": "places",
    "get_sites": "places",
    "get_cycles": "places",
    "get_channels": "channels",
    "rename_channel": "channels",
    "download_channel_image": "images",
    "download_channel_image_file": "images",
    "get_mapobject_types": "types",
    "create_mapobject_type": "types",
    "rename_mapobject_type": "types",
    "delete_mapobject_type": "types",
    "upload_segmentation_image": "segmentations",
    "upload_segmentation_image_file": "segmentations",
    "download_segmentation_image": "segmentations",
    "download_segmentation_image_file": "segmentations",
    "upload_feature_values": "features",
    "download_feature_values": "features",
    "download_object_metadata": "features",
    "download_feature_values_and_metadata_files": "features",
    "get_features": "features",
    "rename_feature": "features",
    "delete_feature": "features",
    "get_tool_results": "tools",
    "get_tools_status": "tools",
}
OTHER_METHODS = {
    name: "the server has no pipelines yet"
    for name in (
        "download_jterator_project",
        "download_jterator_project_files",
        "upload_jterator_project",
        "upload_jterator_project_files",
    )
}
# Which check covers a command.
COMMANDS = {
    "experiment ls": "experiments",
    "experiment create": "experiments",
    "experiment rename": "experiments",
    "experiment rm": "experiments",
    "plate ls": "plates",
    "plate create": "plates",
    "plate rename": "plates",
    "plate rm": "plates",
    "acquisition ls": "acquisitions",
    "acquisition create": "acquisitions",
    "acquisition rename": "acquisitions",
    "acquisition rm": "acquisitions",
    "microscope-file ls": "files",
    "microscope-file upload": "files",
    "workflow download": "descriptions",
    "workflow upload": "descriptions",
    "workflow submit": "workflow",
    "workflow resubmit": "workflow",
    "workflow kill": "workflow",
    "workflow status": "workflow",
    "workflow log": "workflow",
    "well ls": "places",
    "site ls": "places",
    "channel ls": "channels",
    "channel rename": "channels",
    "channel-image download": "images",
    "object-type ls": "types",
    "object-type create": "types",
    "object-type rename": "types",
    # Calls a method that the client does not have: fails before it asks the server.
    "object-type rm": "types",
    "segmentation upload": "segmentations",
    "segmentation download": "segmentations",
    "feature ls": "features",
    "feature rename": "features",
    "feature rm": "features",
    "feature-values download": "features",
    "tools ls": "tools",
    "tools status": "tools",
    "tools log": "tools",
}
OTHER_COMMANDS = {name: "the server has no pipelines yet" for name in ("jtproject download", "jtproject upload")}


class Watch:
    """Notes which methods of the client a check calls itself, and which commands it runs."""

    def __init__(self):
        self.check, self.inside, self.methods, self.commands = "", False, set(), set()
        self.own = {name: getattr(TmClient, name) for name in public_methods()}
        for name, method in self.own.items():
            setattr(TmClient, name, self.noting(name, method))

    def noting(self, name, method):
        def noted(*arguments, **named):
            if self.inside:
                return method(*arguments, **named)
            self.methods.add((name, self.check))
            self.inside = True
            try:
                return method(*arguments, **named)
            finally:
                self.inside = False

        return noted

    def end(self) -> None:
        """Give the client its methods back."""
        for name, method in self.own.items():
            setattr(TmClient, name, method)


def public_methods() -> set[str]:
    return {name for name, _ in inspect.getmembers(TmClient, inspect.isfunction) if not name.startswith("_")}


def public_commands() -> set[str]:
    def below(parser) -> dict:
        actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        return actions[0].choices if actions else {}

    return {f"{resource} {name}" for resource, parser in below(tmclient.cli.parser).items() for name in below(parser)}


def run_here(line: list[str]) -> NoReturn:
    """Be the program `tm_client` until its end."""
    sys.argv, status = line, 1
    try:
        TmClient.__main__()
        status = 0
    except SystemExit as error:
        status = error.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


class Session:
    """A server, by library, by commands and by hand."""

    def __init__(self, base, user, password, directory):
        self.base, self.user = base, user
        self.access = (urlsplit(base).hostname, urlsplit(base).port, user, password)
        self.commands = CommandLine(*self.access)
        self.acquisition = Acquisition(Path(directory))
        token = requests.post(f"{base}/auth", json={"username": user, "password": password}).json()["access_token"]
        self.hand = requests.Session()
        self.hand.headers["Authorization"] = f"JWT {token}"
        self.watch = Watch()

    def client(self, experiment=EXPERIMENT) -> TmClient:
        return TmClient(*self.access, experiment_name=experiment)

    def run(self, command: str, *arguments, experiment=EXPERIMENT, fails=False) -> str:
        """What `tm_client` prints, in a process of its own: a fork of this one, for the imports take longer than most
        commands."""
        resource, name = command.split()
        self.watch.commands.add((command, self.watch.check))
        of = [] if resource == "experiment" else ["-e", experiment]
        line = ["tm_client", *self.commands.access, resource, *of, name, *map(str, arguments)]
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            child = os.fork()
            if child == 0:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                self.watch.end()
                run_here(line)
            _, status = os.waitpid(child, 0)
            for stream in (out, err):
                stream.seek(0)
            printed, errors = out.read(), err.read()
        assert (status != 0) == fails, f"{line}: {printed} {errors}"
        return errors if fails else printed

    def rows(self, command: str, *arguments, experiment=EXPERIMENT) -> list[dict[str, str]]:
        return CommandLine.rows(self.run(command, *arguments, experiment=experiment))

    def path(self, client: TmClient) -> str:
        return f"/api/experiments/{client._experiment_id}"

    def get(self, path: str, **query):
        answer = self.hand.get(self.base + path, params=query)
        answer.raise_for_status()
        return answer

    def post(self, path: str, body, **query):
        answer = self.hand.post(self.base + path, json=body, params=query)
        answer.raise_for_status()
        return answer.json()


def column(things, key) -> list:
    return [thing[key] for thing in things]


def label_image(shape, most: int) -> np.ndarray:
    """Discs with holes that touch each other and the border, single pixels, labels with gaps up to `most`."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    side = max(9, shape[0] // 20)
    cells = rows // side * 100 + columns // side
    distance = (rows % side - side // 2) ** 2 + (columns % side - side // 2) ** 2
    labels = np.where((distance < (side / 2 + 1) ** 2) & (distance > 0), cells * 7 + 1, 0).astype(np.int32)
    labels[-1, -1] = labels[3, 3] = most
    labels[0, -1], labels[-1, 0] = most - 1, 65535
    return labels


def exactly(frame: pd.DataFrame, expected: np.ndarray, what: str) -> None:
    """Equal to the bit, the signs of zeros and what is missing with it."""
    actual = frame.to_numpy(float)
    equal(actual.shape, expected.shape, what)
    np.testing.assert_array_equal(actual.view(np.uint64), expected.view(np.uint64), err_msg=what)
