"""Drive a server with tmclient 0.3.3, its command line and its library, from an empty experiment to images.

    drive_tmclient.py BASE_URL USER PASSWORD EXPERIMENT DIRECTORY

DIRECTORY holds a CellVoyager acquisition with its `.mlf`, from which everything is worked out that the server
must say: wells, sites, channels, and which file is which plane. Exit status 0 only if all of it holds.
"""

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import cv2
import numpy as np
from tmclient import TmClient

PLATE = "plate one"
ACQUISITION = "acquisition one"
# Bound the wait for a workflow; looking is the only way that a client has.
LOOKS, LOOK_EVERY_S = 1200, 0.25


class CommandLine:
    """`tm_client` as a person types it."""

    def __init__(self, host, port, user, password):
        self.access = ["-H", host, "-P", str(port), "-u", user, "-p", password]

    def run(self, *arguments) -> str:
        """What a command prints; run inside this process, for the imports take longer than most commands."""
        arguments = [str(argument) for argument in arguments]
        out, err = io.StringIO(), io.StringIO()
        logging.getLogger().handlers.clear()
        before, sys.argv = sys.argv, ["tm_client", *self.access, *arguments]
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                TmClient.__main__()
        except SystemExit as error:
            assert not error.code, f"{arguments}: {out.getvalue()} {err.getvalue()}"
        finally:
            sys.argv = before
        # The program goes on after some errors.
        assert "ERROR" not in err.getvalue(), f"{arguments}: {out.getvalue()} {err.getvalue()}"
        return out.getvalue()

    def run_program(self, *arguments) -> str:
        """What the installed program prints."""
        program = Path(sys.executable).with_name("tm_client")
        done = subprocess.run([program, *self.access, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, f"{arguments}: {done.stdout} {done.stderr}"
        return done.stdout

    def table(self, *arguments) -> list[dict[str, str]]:
        """The rows of a printed table."""
        return self.rows(self.run(*arguments))

    @staticmethod
    def rows(printed: str) -> list[dict[str, str]]:
        lines = [line for line in printed.splitlines() if line.startswith("|")]
        head, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        return [dict(zip(head, row, strict=True)) for row in rows]


class Acquisition:
    """What lies in the directory, from the instrument's own list of images."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.names = sorted(name for name in os.listdir(directory) if not name.startswith("."))
        self.metadata = {name for name in self.names if name.endswith((".mlf", ".mrf", ".mes"))}
        root = ElementTree.parse(directory / "MeasurementData.mlf").getroot()
        space = root.tag[1:].split("}")[0]
        records = []
        for record in root:
            values = {key.removeprefix(f"{{{space}}}"): value for key, value in record.attrib.items()}
            if values["Type"] == "IMG":
                values["well"] = f"{chr(64 + int(values['Row']))}{int(values['Column']):02}"
                records.append((values, record.text.strip()))
        self.images = {name for _, name in records}
        assert self.images <= set(self.names)
        self.wells = sorted({values["well"] for values, _ in records})
        self.channels = sorted({values["Ch"] for values, _ in records})
        # (well, y, x) -> {(channel, z, t): file name}
        self.sites: dict[tuple[str, int, int], dict[tuple[str, int, int], str]] = {}
        for well in self.wells:
            inside = [(values, name) for values, name in records if values["well"] == well]
            # The stage's y points up, the image's down.
            rows = places([-float(values["Y"]) for values, _ in inside])
            columns = places([float(values["X"]) for values, _ in inside])
            for (values, name), y, x in zip(inside, rows, columns):
                plane = (values["Ch"], int(values["ZIndex"]) - 1, int(values["TimePoint"]) - 1)
                planes = self.sites.setdefault((well, y, x), {})
                assert plane not in planes
                planes[plane] = name

    def pixels(self, name: str) -> np.ndarray:
        pixels = cv2.imread(str(self.directory / name), cv2.IMREAD_UNCHANGED)
        assert pixels is not None and pixels.ndim == 2, name
        return pixels


def places(positions_um: list[float]) -> list[int]:
    """The rank of every position; those less than 3 µm apart are one place."""
    ranks, rank, last = {}, -1, float("-inf")
    for position in sorted(set(positions_um)):
        rank += position - last > 3
        ranks[position] = rank
        last = position
    return [ranks[position] for position in positions_um]


def equal(actual, expected, what: str) -> None:
    assert actual == expected, f"{what}: {actual!r}, {expected!r} is wanted"


def same_image(actual: np.ndarray, expected: np.ndarray, what: str) -> None:
    assert actual is not None, f"{what} is no image"
    equal((actual.dtype, actual.shape), (expected.dtype, expected.shape), what)
    assert (actual == expected).all(), f"{what}: {(actual != expected).sum()} pixels differ"


def upload(tm: CommandLine, experiment: str, acquisition: Acquisition) -> None:
    """First half of the files, as if the rest had failed, then all of them."""
    tm.run_program("experiment", "create", "-n", experiment)
    equal([row["Name"] for row in tm.rows(tm.run_program("experiment", "ls"))], [experiment], "experiments")
    tm.run("plate", "-e", experiment, "create", "-n", PLATE, "--description", "made by a test")
    (plate,) = tm.table("plate", "-e", experiment, "ls")
    equal((plate["Name"], plate["Description"], plate["Status"]), (PLATE, "made by a test", "WAITING"), "plate")
    tm.run("acquisition", "-e", experiment, "create", "-p", PLATE, "-n", ACQUISITION)
    (row,) = tm.table("acquisition", "-e", experiment, "ls")
    equal((row["Name"], row["Plate"], row["Status"]), (ACQUISITION, PLATE, "WAITING"), "acquisition")

    where = ("-p", PLATE, "-a", ACQUISITION)
    with tempfile.TemporaryDirectory() as half:
        for name in acquisition.names[::2]:
            os.symlink(acquisition.directory / name, Path(half) / name)
        tm.run("microscope-file", "-e", experiment, "upload", *where, "--directory", half)
    wanted = acquisition.images | acquisition.metadata
    uploaded = {row["Name"]: row["Status"] for row in tm.table("microscope-file", "-e", experiment, "ls", *where)}
    equal(uploaded, {name: "COMPLETE" for name in acquisition.names[::2] if name in wanted}, "half of the files")
    tm.run("microscope-file", "-e", experiment, "upload", *where, "--directory", acquisition.directory)
    rows = tm.table("microscope-file", "-e", experiment, "ls", *where)
    equal(len(rows), len(wanted), "number of files")
    equal({row["Name"]: row["Status"] for row in rows}, dict.fromkeys(wanted, "COMPLETE"), "files")
    equal([row["Status"] for row in tm.table("plate", "-e", experiment, "ls")], ["COMPLETE"], "plate's status")
    equal([row["Status"] for row in tm.table("acquisition", "-e", experiment, "ls")], ["COMPLETE"], "status")


def run_workflow(tm: CommandLine, experiment: str) -> None:
    equal(tm.table("workflow", "-e", experiment, "status"), [], "status before submission")
    tm.run("workflow", "-e", experiment, "submit")
    for _ in range(LOOKS):
        rows = tm.table("workflow", "-e", experiment, "status")
        (top,) = [row for row in rows if row["Type"] == "Workflow"]
        if top["State"] == "TERMINATED":
            break
        time.sleep(LOOK_EVERY_S)
    equal((top["Name"], top["State"], top["Exitcode"], top["Done (%)"]), (experiment, "TERMINATED", "0", "100.00"), "top")
    steps = [row["Name"] for row in rows if row["Type"] == "WorkflowStep"]
    equal(steps[:5], ["metaextract", "metaconfig", "imextract", "corilla", "illuminati"], "steps")
    jobs = [row for row in tm.table("workflow", "-e", experiment, "status", "--depth", 4) if row["Type"] == "RunJob"]
    first = {name: row for row in jobs if (name := row["Name"]) == "metaextract_run_0000001"}
    equal([row["Exitcode"] for row in first.values()], ["0"], "first job")
    log = tm.run("workflow", "-e", experiment, "log", "-s", "metaextract", "-n", "metaextract_run_0000001")
    assert "STANDARD OUTPUT" in log and "STANDARD ERROR" in log, log


def look(tm: CommandLine, experiment: str, acquisition: Acquisition, corrects: bool) -> None:
    """Lists, and one image with and without correction."""
    equal(sorted(row["Name"] for row in tm.table("channel", "-e", experiment, "ls")), acquisition.channels, "channels")
    wells = tm.table("well", "-e", experiment, "ls")
    equal(sorted((row["Name"], row["Plate"]) for row in wells), [(well, PLATE) for well in acquisition.wells], "wells")
    rows = tm.table("site", "-e", experiment, "ls")
    sites = sorted((row["Well"], int(row["Y"]), int(row["X"])) for row in rows)
    equal(sites, sorted(acquisition.sites), "sites")
    (well, y, x), planes = list(acquisition.sites.items())[-1]
    (channel, z, t), name = next(iter(planes.items()))
    source = acquisition.pixels(name)
    equal({(int(row["Height"]), int(row["Width"])) for row in rows}, {source.shape}, "sizes")
    with tempfile.TemporaryDirectory() as directory:
        place = ("-p", PLATE, "-w", well, "-y", y, "-x", x, "-t", t, "-z", z, "-c", channel)
        images = []
        for more in ((), ("--correct",)):
            tm.run("channel-image", "-e", experiment, "download", *place, "--directory", directory, *more)
            (file,) = Path(directory).iterdir()
            secured = "_".join(f"{experiment}_{PLATE}".split())
            equal(file.name, f"{secured}_{well}_y{y:03}_x{x:03}_z{z:03}_t{t:03}_{channel}.png", "name")
            images.append(cv2.imread(str(file), cv2.IMREAD_UNCHANGED))
            file.unlink()
    same_image(images[0], source, f"{name} by command line")
    equal((images[1].dtype, images[1].shape), (source.dtype, source.shape), "corrected image")
    assert (images[1] != source).any() == corrects, "correction" if corrects else "a blank image was changed"


def segment(tm: CommandLine, client: TmClient, experiment: str, acquisition: Acquisition) -> None:
    """Types of objects, and label images up and down by library and command line."""
    client.experiment_name = experiment
    static = ["Plates", "Sites", "Wells"]
    equal([kind["name"] for kind in client.get_mapobject_types()], static, "types after the workflow")
    client.create_mapobject_type("Cells")
    client.create_mapobject_type("Cells")
    tm.run("object-type", "-e", experiment, "create", "-n", "Other")
    tm.run("object-type", "-e", experiment, "rename", "-n", "Other", "--new-name", "Nuclei")
    client.rename_mapobject_type("Cells", "Big cells")
    names = [row["Name"] for row in tm.table("object-type", "-e", experiment, "ls")]
    equal(sorted(names), sorted(["Big cells", "Nuclei", *static]), "types")
    (well, y, x), planes = list(acquisition.sites.items())[-1]
    shape = acquisition.pixels(next(iter(planes.values()))).shape
    # Discs with holes, touching each other and the border; labels that do not follow each other.
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    side = max(9, shape[0] // 20)
    cells = rows // side * 100 + columns // side
    distance = (rows % side - side // 2) ** 2 + (columns % side - side // 2) ** 2
    labels = np.where((distance < (side / 2 + 1) ** 2) & (distance > 0), cells * 7 + 1, 0).astype(np.int32)
    place = (PLATE, well, y, x)
    client.upload_segmentation_image("Big cells", *place, tpoint=0, zplane=0, image=labels)
    same_image(client.download_segmentation_image("Big cells", *place, tpoint=0, zplane=0), labels, "labels")
    where = ("-p", PLATE, "-w", well, "-y", y, "-x", x, "-t", 0, "-z", 0, "-o", "Nuclei")
    with tempfile.TemporaryDirectory() as directory:
        sent = (labels % 65521).astype(np.uint16)
        file = str(Path(directory) / "labels.png")
        assert cv2.imwrite(file, sent)
        tm.run("segmentation", "-e", experiment, "upload", *where, "--filename", file)
        os.unlink(file)
        tm.run("segmentation", "-e", experiment, "download", *where, "--directory", directory)
        (file,) = Path(directory).iterdir()
        same_image(cv2.imread(str(file), cv2.IMREAD_UNCHANGED), sent, "labels by command line")
    client.delete_mapobject_type("Nuclei")
    equal(len(client.get_mapobject_types()), 4, "types after a deletion")


def use_library(client: TmClient, experiment: str, acquisition: Acquisition, corrects: bool) -> None:
    """The planes, a second upload, the workflow's description, and new names for everything."""
    client.experiment_name = experiment
    assert experiment in [item["name"] for item in client.get_experiments()]
    for (well, y, x), planes in acquisition.sites.items():
        # Blank planes are all the same: one of a site says as much as all.
        for (channel, z, t), name in list(planes.items())[: None if corrects else 1]:
            place = dict(tpoint=t, zplane=z)
            image = client.download_channel_image(channel, PLATE, well, y, x, correct=False, **place)
            same_image(image, acquisition.pixels(name), name)
    corrected = client.download_channel_image(channel, PLATE, well, y, x, correct=True, **place)
    assert (corrected != image).any() == corrects, name

    before = client.get_microscope_files(PLATE, ACQUISITION)
    missing = client.upload_microscope_files(PLATE, ACQUISITION, str(acquisition.directory), retry=1)
    equal(missing, [], "files that a second upload had to send")
    equal(client.get_microscope_files(PLATE, ACQUISITION), before, "files after a second upload")

    description = client.download_workflow_description()
    client.upload_workflow_description(description)
    equal(client.download_workflow_description(), description, "description")
    for stage in description["stages"]:
        for step in stage["steps"]:
            for argument in step["batch_args"]:
                if argument["name"] == "batch_size":
                    argument["value"] = 7
    client.upload_workflow_description(description)
    equal(client.download_workflow_description(), description, "changed description")
    with tempfile.TemporaryDirectory() as directory:
        file = str(Path(directory) / "workflow.yaml")
        client.download_workflow_description_file(file)
        client.upload_workflow_description_file(file)
    equal(client.download_workflow_description(), description, "description by way of a file")
    status = client.get_workflow_status(depth=0)
    assert status["done"] and not status["failed"] and not any(status["subtasks"]), status

    client.rename_plate(PLATE, "plate two")
    client.rename_acquisition("plate two", ACQUISITION, "acquisition two")
    client.rename_channel(acquisition.channels[0], "DAPI")
    client.rename_experiment(f"{experiment} two")
    renamed = TmClient(*client_arguments, experiment_name=f"{experiment} two")
    equal([plate["name"] for plate in renamed.get_plates()], ["plate two"], "plates")
    equal([item["plate_name"] for item in renamed.get_acquisitions()], ["plate two"], "plates of acquisitions")
    equal([item["name"] for item in renamed.get_acquisitions("plate two")], ["acquisition two"], "acquisitions")
    equal(sorted(well["name"] for well in renamed.get_wells("plate two")), acquisition.wells, "wells")
    first = acquisition.wells[0]
    sites = [(site["well_name"], site["y"], site["x"]) for site in renamed.get_sites("plate two", first)]
    equal(sorted(sites), sorted(site for site in acquisition.sites if site[0] == first), "sites of a well")
    equal([cycle["index"] for cycle in renamed.get_cycles()], [0], "cycles")
    names = sorted(channel["name"] for channel in renamed.get_channels())
    equal(names, sorted(["DAPI", *acquisition.channels[1:]]), "channels")
    (well, y, x), planes = next(iter(acquisition.sites.items()))
    (z, t), name = next(((z, t), name) for (c, z, t), name in planes.items() if c == acquisition.channels[0])
    image = renamed.download_channel_image("DAPI", "plate two", well, y, x, tpoint=t, zplane=z, correct=False)
    same_image(image, acquisition.pixels(name), f"{name} under new names")
    renamed.delete_acquisition("plate two", "acquisition two")
    equal(renamed.get_acquisitions(), [], "acquisitions after deletion")
    renamed.delete_plate("plate two")
    equal(renamed.get_plates(), [], "plates after deletion")
    renamed.delete_experiment()
    assert f"{experiment} two" not in [item["name"] for item in renamed.get_experiments()]


if __name__ == "__main__":
    url, user, password, experiment, directory = sys.argv[1:]
    client_arguments = (urlsplit(url).hostname, urlsplit(url).port, user, password)
    acquisition = Acquisition(Path(directory))
    # Blank images have nothing to correct.
    corrects = len(np.unique(acquisition.pixels(min(acquisition.images)))) > 1
    command_line = CommandLine(*client_arguments)
    upload(command_line, experiment, acquisition)
    run_workflow(command_line, experiment)
    look(command_line, experiment, acquisition, corrects)
    segment(command_line, TmClient(*client_arguments), experiment, acquisition)
    use_library(TmClient(*client_arguments), experiment, acquisition, corrects)
    found = {"wells": len(acquisition.wells), "sites": len(acquisition.sites), "images": len(acquisition.images)}
    print(f"OK: {json.dumps(found)}, tmclient")
