"""Every public method and every command of tmclient 0.3.3, and what client 0.4 adds, each checked by what it brings.

    drive_tmclient_checklist.py BASE_URL USER PASSWORD DIRECTORY

DIRECTORY holds a CellVoyager acquisition with its `.mlf`, from which is worked out what the server must say; it lies below
an import root of the server. The server has one experiment, `planted`, with results and jobs of tools.

`tmclient_checklist.py` says which check covers what; the installed client is asked what there is, and what each check
really called is noted. Exit status 0 only if every check holds, and nothing public is left out but what the two lists
of exceptions name.
"""

import base64
import csv
import io
import json
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import yaml
from drive_tmclient import LOOK_EVERY_S, LOOKS, equal, same_image
from tmclient import TmClient
from tmclient_checklist import COMMANDS, EXPERIMENT, METHODS, OTHER_COMMANDS, OTHER_METHODS
from tmclient_checklist import (
    Session,
    column,
    exactly,
    label_image,
    public_commands,
    public_methods,
)

PLATE, OTHER_PLATE = "plate #1?", "by command/2"
ACQUISITION = "one, & only"
CELLS = "Cells é"
TOOLS = "planted"
STAGES = ["image_conversion", "image_preprocessing", "pyramid_creation"]


def experiments(s: Session) -> None:
    equal(column(s.rows("experiment ls"), "Name"), [TOOLS], "what was there")
    made = s.client("made by library")
    made.create_experiment("canonical", "visiview", 1536, "basic")
    known = made.get_experiments()
    equal(known[1], {"id": known[1]["id"], "name": "made by library", "description": "", "user": s.user}, "created")
    s.run("experiment create", "-n", "made by command", "--workflow-type", "multiplexing", "--microscope-type",
          "metamorph", "--plate-format", 96, "--plate-acquisition-mode", "multiplexing")
    listed = [{"ID": one["id"], "Name": one["name"], "Description": one["description"]} for one in made.get_experiments()]
    equal(s.rows("experiment ls"), listed, "the list as a table")
    equal(column(listed, "Name"), [TOOLS, "made by library", "made by command"], "names")
    made.rename_experiment("renamed, by \"library\"")
    s.run("experiment rename", "-n", "made by command", "--new-name", "renamed #2")
    equal(column(made.get_experiments(), "name"), [TOOLS, "renamed, by \"library\"", "renamed #2"], "new names")
    equal(column(made.get_experiments(), "id"), column(listed, "ID"), "ids")
    s.client("renamed, by \"library\"").delete_experiment()
    equal(column(made.get_experiments(), "name"), [TOOLS, "renamed #2"], "after a deletion")
    s.run("experiment rm", "-n", "renamed #2")
    equal(column(made.get_experiments(), "name"), [TOOLS], "after another")
    s.client().create_experiment("canonical", "cellvoyager", 384, "basic")


def plates(s: Session) -> None:
    client = s.client()
    client.create_plate(PLATE, "first; \"the\" plate")
    s.run("plate create", "-n", "second", "--description", "of a command")
    (first, second) = client.get_plates()
    expected = {"name": PLATE, "description": "first; \"the\" plate", "status": "WAITING", "acquisitions": []}
    equal(first, {"id": first["id"], **expected}, "plate")
    equal((second["name"], second["description"]), ("second", "of a command"), "plate of a command")
    listed = [{"ID": one["id"], "Status": one["status"], "Name": one["name"], "Description": one["description"]}
              for one in (first, second)]
    equal(s.rows("plate ls"), listed, "plate ls")
    client.rename_plate(PLATE, "another")
    equal(column(client.get_plates(), "name"), ["another", "second"], "names")
    s.run("plate rename", "-n", "another", "--new-name", PLATE)
    equal(column(client.get_plates(), "name"), [PLATE, "second"], "names as before")
    client.create_plate("third")
    s.run("plate rm", "-n", "second")
    equal(column(client.get_plates(), "name"), [PLATE, "third"], "after a command")
    client.delete_plate("third")
    equal(column(client.get_plates(), "id"), [first["id"]], "after the library")
    client.create_plate(OTHER_PLATE)


def acquisitions(s: Session) -> None:
    client = s.client()
    client.create_acquisition(PLATE, ACQUISITION, "day 1")
    s.run("acquisition create", "-n", "a", "-p", OTHER_PLATE, "--description", "day 2")
    (first, second) = client.get_acquisitions()
    expected = {"name": ACQUISITION, "description": "day 1", "status": "WAITING", "plate_name": PLATE}
    equal(first, {"id": first["id"], **expected}, "acquisition")
    equal((second["name"], second["description"], second["plate_name"]), ("a", "day 2", OTHER_PLATE), "of a command")
    equal(client.get_acquisitions(PLATE), [first], "of a plate")
    equal(client.get_acquisitions("nowhere"), [], "of no plate")
    listed = [{"ID": one["id"], "Status": "WAITING", "Name": one["name"], "Description": one["description"],
               "Plate": one["plate_name"]} for one in (first, second)]
    equal(s.rows("acquisition ls"), listed, "acquisition ls")
    # The option has no effect in this client.
    equal(s.rows("acquisition ls", "-p", PLATE), listed, "acquisition ls -p")
    client.rename_acquisition(OTHER_PLATE, "a", "b/c")
    equal(column(client.get_acquisitions(OTHER_PLATE), "name"), ["b/c"], "renamed")
    s.run("acquisition rename", "-n", "b/c", "-p", OTHER_PLATE, "--new-name", "d%2F")
    equal(column(client.get_acquisitions(OTHER_PLATE), "name"), ["d%2F"], "renamed by a command")
    client.create_acquisition(OTHER_PLATE, "gone")
    s.run("acquisition rm", "-n", "gone", "-p", OTHER_PLATE)
    client.delete_acquisition(OTHER_PLATE, "d%2F")
    equal(client.get_acquisitions(), [first], "after deletions")
    client.create_acquisition(OTHER_PLATE, "files")


def files(s: Session) -> None:
    client, acquisition = s.client(), s.acquisition
    wanted = acquisition.images | acquisition.metadata
    registered = client.upload_microscope_files(PLATE, ACQUISITION, str(acquisition.directory), parallel=3, retry=1)
    equal(sorted(registered), sorted(wanted), "registered")
    uploaded = client.get_microscope_files(PLATE, ACQUISITION)
    equal({one["name"]: one["status"] for one in uploaded}, dict.fromkeys(wanted, "COMPLETE"), "files")
    where = ("-p", OTHER_PLATE, "-a", "files")
    equal(s.rows("microscope-file ls", *where), [], "before")
    s.run("microscope-file upload", *where, "--directory", acquisition.directory, "--parallel", 2, "--no-retry")
    listed = [{"ID": one["id"], "Status": "COMPLETE", "Name": one["name"]}
              for one in client.get_microscope_files(OTHER_PLATE, "files")]
    equal(s.rows("microscope-file ls", *where), listed, "microscope-file ls")
    equal(sorted(column(listed, "Name")), sorted(wanted), "uploaded by a command")
    equal(column(client.get_plates(), "status"), ["COMPLETE", "COMPLETE"], "plates")
    client.delete_plate(OTHER_PLATE)


def descriptions(s: Session) -> None:
    client = s.client()
    first = client.download_workflow_description()
    equal(first["type"], "canonical", "type")
    equal(column(first["stages"], "name")[:3], STAGES, "stages")
    changed = json.loads(json.dumps(first))
    # Without pipelines, which have checks of their own.
    for stage in changed["stages"]:
        stage["active"] = stage["name"] in STAGES
    arguments = changed["stages"][0]["steps"][0]["batch_args"]
    (size,) = [argument for argument in arguments if argument["name"] == "batch_size"]
    equal((size["value"], size["default"]), (100, 100), "default")
    size["value"] = 3
    client.upload_workflow_description(changed)
    equal(client.download_workflow_description(), changed, "changed")
    with tempfile.TemporaryDirectory() as directory:
        by_library, by_command = Path(directory) / "library.yaml", Path(directory) / "command.yaml"
        client.download_workflow_description_file(str(by_library))
        s.run("workflow download", "--file", by_command)
        equal(yaml.safe_load(by_library.read_text()), changed, "file")
        equal(by_command.read_text(), by_library.read_text(), "file of the command")
        client.upload_workflow_description(first)
        client.upload_workflow_description_file(str(by_library))
        equal(client.download_workflow_description(), changed, "from a file")
        client.upload_workflow_description(first)
        s.run("workflow upload", "--file", by_command)
    equal(client.download_workflow_description(), changed, "from a file, by command")


def ended(client: TmClient) -> dict:
    """The workflow's status once it has come to its end."""
    for _ in range(LOOKS):
        status = client.get_workflow_status()
        if status["state"] == "TERMINATED":
            return status
        time.sleep(LOOK_EVERY_S)
    raise AssertionError(f"no end: {status}")


def flat(status: dict) -> list[dict]:
    return [status, *(task for below in status["subtasks"] if below for task in flat(below))]


def workflow(s: Session) -> None:
    client = s.client()
    equal(client.get_workflow_status(), None, "before")
    equal(s.rows("workflow status"), [], "status before")
    client.submit_workflow(client.download_workflow_description())
    # However far it came: whole, or ended by the kill.
    client.kill_workflow()
    assert ended(client)["exitcode"] in (0, 255), ended(client)
    client.resubmit_workflow(description=client.download_workflow_description())
    status = ended(client)
    top = {"name": EXPERIMENT, "type": "Workflow", "exitcode": 0, "percent_done": 100, "done": True, "failed": False}
    equal({key: status[key] for key in top}, top, "status")
    equal(column(status["subtasks"], "name"), STAGES, "stages")
    equal(client.get_workflow_status(depth=0)["subtasks"], [None] * len(STAGES), "depth 0")

    s.run("workflow resubmit", "-s", "image_preprocessing")
    again = ended(client)
    equal((again["exitcode"], column(again["subtasks"], "name")), (0, column(status["subtasks"], "name")), "resubmitted")
    s.run("workflow kill")
    equal(client.get_workflow_status(), again, "a kill after the end")
    s.run("workflow submit")
    last = ended(client)
    assert last["id"] != status["id"] and last["exitcode"] == 0, last

    tree = flat(client.get_workflow_status(depth=5))
    text = lambda value: "" if value is None else str(value)
    keys = {"ID": "id", "Name": "name", "Type": "type", "Created (YYYY-MM-DD HH:MM:SS)": "created_at",
            "Finished (YYYY-MM-DD HH:MM:SS)": "updated_at", "State": "state", "Exitcode": "exitcode",
            "Wall Time (HH:MM:SS)": "time", "CPU Time (HH:MM:SS)": "cpu_time", "Memory (MB)": "memory"}
    expected = [{head: text(task[key]) for head, key in keys.items()} | {"Done (%)": f"{task['percent_done']:.2f}"}
                for task in tree]
    equal(s.rows("workflow status", "--depth", 5), expected, "status as a table")
    (job,) = [task for task in tree if task["name"] == "metaextract_run_0000001"]
    log = s.get(f"{s.path(client)}/workflow/jobs/{job['id']}/log").json()["data"]
    printed = s.run("workflow log", "-s", "metaextract", "-n", "metaextract_run_0000001")
    assert log["stderr"] or log["stdout"], "the job wrote nothing"
    equal(printed, f"\nSTANDARD OUTPUT\n===============\n{log['stdout']}\n\nSTANDARD ERROR\n==============\n"
          f"{log['stderr']}\n", "log")


def places(s: Session) -> None:
    client, acquisition = s.client(), s.acquisition
    wells = client.get_wells()
    grid = [1 + max(site[axis] for site in acquisition.sites) for axis in (1, 2)]
    expected = [{"name": name, "plate": PLATE, "plate_name": PLATE, "description": {}, "dimensions": grid}
                for name in acquisition.wells]
    equal([{key: well[key] for key in well if key != "id"} for well in wells], expected, "wells")
    equal((client.get_wells(PLATE), client.get_wells("nowhere")), (wells, []), "wells of a plate")
    listed = [{"ID": well["id"], "Name": well["name"], "Plate": PLATE} for well in wells]
    shown = [{key: row[key] for key in listed[0]} for row in s.rows("well ls")]
    equal(shown, listed, "well ls")
    # The option has no effect in this client.
    equal(s.rows("well ls", "-p", PLATE), s.rows("well ls"), "well ls -p")
    sites = client.get_sites()
    height, width = acquisition.pixels(min(acquisition.images)).shape
    expected = [{"well_name": well, "plate_name": PLATE, "y": y, "x": x, "height": height, "width": width}
                for well, y, x in sorted(acquisition.sites)]
    equal([{key: site[key] for key in site if key != "id"} for site in sites], expected, "sites")
    of_well = [site for site in sites if site["well_name"] == acquisition.wells[0]]
    equal(client.get_sites(PLATE), sites, "sites of a plate")
    equal(client.get_sites(PLATE, acquisition.wells[0]), of_well, "sites of a well")
    listed = [{"ID": site["id"], "Y": str(site["y"]), "X": str(site["x"]), "Height": str(height), "Width": str(width),
               "Well": site["well_name"], "Plate": PLATE} for site in sites]
    equal(s.rows("site ls"), listed, "site ls")
    equal([(cycle["index"], cycle["tpoint"]) for cycle in client.get_cycles()], [(0, 0)], "cycles")


def channels(s: Session) -> None:
    client, names = s.client(), s.acquisition.channels
    found = client.get_channels()
    equal([(one["name"], one["bit_depth"], len(one["layers"])) for one in found], [(name, 16, 2) for name in names],
          "channels")
    listed = [{"ID": one["id"], "Name": one["name"]} for one in found]
    equal([{key: row[key] for key in ("ID", "Name")} for row in s.rows("channel ls")], listed, "channel ls")
    client.rename_channel(names[0], "DAPI, \"blue\"")
    s.run("channel rename", "-n", names[1], "--new-name", "x/y é")
    equal(column(client.get_channels(), "name"), ["DAPI, \"blue\"", "x/y é"], "renamed")
    s.run("channel rename", "-n", "DAPI, \"blue\"", "--new-name", names[0])
    client.rename_channel("x/y é", names[1])
    equal(client.get_channels(), found, "as before")


def images(s: Session) -> None:
    client, acquisition = s.client(), s.acquisition
    secured = "every_thing_m_plate_1"
    for (well, y, x), planes in acquisition.sites.items():
        for (channel, z, t), name in planes.items():
            image = client.download_channel_image(channel, PLATE, well, y, x, tpoint=t, zplane=z, correct=False)
            same_image(image, acquisition.pixels(name), name)
    place = dict(plate_name=PLATE, well_name=well, well_pos_y=y, well_pos_x=x, tpoint=t, zplane=z)
    (known,) = [one for one in client.get_channels() if one["name"] == channel]
    path = f"{s.path(client)}/channels/{known['id']}/image-file"
    by_hand = s.get(path, cycle_index=0, correct="true", **place)
    corrected = cv2.imdecode(np.frombuffer(by_hand.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert (corrected != image).any(), "nothing was corrected"
    same_image(client.download_channel_image(channel, PLATE, well, y, x, tpoint=t, zplane=z), corrected, "corrected")
    command = ("-p", PLATE, "-w", well, "-y", y, "-x", x, "-t", t, "-z", z, "-c", channel, "-i", 0)
    for correct, expected in ((False, image), (True, corrected)):
        with tempfile.TemporaryDirectory() as directory:
            client.download_channel_image_file(channel, PLATE, well, y, x, tpoint=t, zplane=z, correct=correct,
                                               cycle_index=0, directory=directory)
            name = f"{secured}_{well}_y{y:03}_x{x:03}_z{z:03}_t{t:03}_{channel}.png"
            file = Path(directory) / name
            equal([one.name for one in Path(directory).iterdir()], [name], "file")
            same_image(cv2.imread(str(file), cv2.IMREAD_UNCHANGED), expected, "file of the library")
            file.unlink()
            s.run("channel-image download", *command, "--directory", directory, *(["--correct"] if correct else []))
            equal([one.name for one in Path(directory).iterdir()], [name], "file of the command")
            same_image(cv2.imread(str(file), cv2.IMREAD_UNCHANGED), expected, "file of the command")
    # Client 0.4: `--align`. There is one cycle, so that nothing is cut off.
    for align in ("True", "False"):
        answer = s.get(path, cycle_index=0, correct="False", align=align, **place)
        aligned = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
        same_image(aligned, image, f"align={align}")


def types(s: Session) -> None:
    client, static = s.client(), ["Plates", "Sites", "Wells"]
    equal(column(client.get_mapobject_types(), "name"), static, "after the workflow")
    for _ in range(2):
        client.create_mapobject_type(CELLS)
    s.run("object-type create", "-n", "Nuclei, \"all\"")
    s.run("object-type rename", "-n", "Nuclei, \"all\"", "--new-name", "Nuclei")
    client.rename_mapobject_type("Nuclei", "nuclei/2")
    found = client.get_mapobject_types()
    equal(column(found, "name"), [CELLS, *static, "nuclei/2"], "types")
    equal((found[0]["features"], found[0]["layers"]), ([], []), "a new type")
    listed = [{"ID": one["id"], "Name": one["name"]} for one in found]
    equal([{key: row[key] for key in ("ID", "Name")} for row in s.rows("object-type ls")], listed, "object-type ls")
    printed = s.run("object-type rm", "-n", "nuclei/2", fails=True)
    assert "delete_mapobjects_type" in printed, printed
    equal(client.get_mapobject_types(), found, "after a command that cannot be")
    client.delete_mapobject_type("nuclei/2")
    equal(client.get_mapobject_types(), found[:-1], "after a deletion")


def segmentations(s: Session) -> None:
    client = s.client()
    (well, y, x), planes = list(s.acquisition.sites.items())[-1]
    shape = s.acquisition.pixels(next(iter(planes.values()))).shape
    place = (CELLS, PLATE, well, y, x)
    large, small = label_image(shape, 2**31 - 1), label_image(shape, 65534)
    client.upload_segmentation_image(*place, tpoint=0, zplane=0, image=large)
    same_image(client.download_segmentation_image(*place), large, "labels")
    same_image(client.download_segmentation_image(*place, tpoint=0, zplane=0), large, "labels of a plane")
    command = ("-p", PLATE, "-w", well, "-y", y, "-x", x, "-t", 0, "-z", 1, "-o", CELLS)
    with tempfile.TemporaryDirectory() as directory:
        sent, got = Path(directory) / "sent.png", Path(directory) / "got"
        got.mkdir()
        assert cv2.imwrite(str(sent), small.astype(np.uint16))
        # Names of such files are the client's own: slashes in them would be directories.
        name = f"{EXPERIMENT}_{PLATE}_{well}_y{y:03}_x{x:03}_z001_t000_{CELLS}.png"
        for up, down in (
            (lambda: client.upload_segmentation_image_file(*place, 0, 1, str(sent)),
             lambda: client.download_segmentation_image_file(*place, 0, 1, str(got))),
            (lambda: s.run("segmentation upload", *command, "--filename", sent),
             lambda: s.run("segmentation download", *command, "--directory", got)),
        ):
            client.upload_segmentation_image(*place, tpoint=0, zplane=1, image=large)
            up()
            down()
            equal([one.name for one in got.iterdir()], [name], "file")
            same_image(cv2.imread(str(got / name), cv2.IMREAD_UNCHANGED), small.astype(np.uint16), "labels of a file")
            (got / name).unlink()
    same_image(client.download_segmentation_image(*place), large, "the other plane")

    # Client 0.4: archives, `--align`, and what is known of an object. Documented: the place in the query.
    (kind,) = [one for one in client.get_mapobject_types() if one["name"] == CELLS]
    path = f"{s.path(client)}/mapobject_types/{kind['id']}/segmentations"
    where = dict(plate_name=PLATE, well_name=well, well_pos_y=y, well_pos_x=x, tpoint=0)
    archive = io.BytesIO()
    np.savez_compressed(archive, segmentation=large)
    packed = base64.b64encode(archive.getvalue()).decode()
    equal(s.post(path, {**where, "zplane": 1, "npz_file": packed}), {"message": "ok"}, "npz_file")
    same_image(client.download_segmentation_image(*place, zplane=1), large, "npz_file")
    equal(s.post(path, {"image": small.tolist()}, **where, zplane=1), {"message": "ok"}, "place in the query")
    same_image(client.download_segmentation_image(*place, zplane=1), small, "place in the query")
    equal(s.post(path, {**where, "zplane": 1, "npz_file": packed}, align="True"), {"message": "ok"}, "align")
    for align in ("True", "False"):
        labels = s.get(path, **where, zplane=1, align=align).json()["data"]
        same_image(np.array(labels, np.int32), large, f"align={align}")
    metadata = client.download_object_metadata(CELLS)
    for line in metadata.iloc[[0, -1]].to_dict("records"):
        object_id = line["mapobject_id"]
        info = s.get(f"{s.path(client)}/mapobjects/{object_id}/info").json()["data"]
        expected = {"id": str(object_id), "type": CELLS, "experiment_name": EXPERIMENT, **where, "zplane": 0,
                    "label": line["label"], "parents": []}
        equal(info, expected, "mapobject info")
    equal(sorted(metadata["label"]), sorted(np.unique(large[large > 0])), "labels of objects")
    client.upload_segmentation_image(*place, tpoint=0, zplane=1, image=large)


FEATURES = ["Morphology_Area", "mean, \"raw\"", "Fläche/µm²", "e\u0301"]


def features(s: Session) -> None:
    client = s.client()
    (well, y, x) = list(s.acquisition.sites)[-1]
    labels = client.download_object_metadata(CELLS, PLATE, well, y, x, 0)["label"].tolist()
    special = [1e300, 1e-300, -0.0, 5e-324, 0.1, 1 / 3, -1e22, sys.float_info.max]
    cells = [[special[(row + number) % len(special)] for number in range(4)] for row in range(len(labels))]
    frame = pd.DataFrame(cells, index=labels, columns=FEATURES)
    # In another order, and with labels that no object has.
    sent = pd.concat([frame.iloc[::-1], pd.DataFrame([[9.0] * 4], index=[4242424], columns=FEATURES)])
    client.upload_feature_values(CELLS, PLATE, well, y, x, 0, sent)
    equal(column(client.get_features(CELLS), "name"), sorted(FEATURES), "features")
    equal([{key: row[key] for key in ("ID", "Name")} for row in s.rows("feature ls", "-o", CELLS)],
          [{"ID": one["id"], "Name": one["name"]} for one in client.get_features(CELLS)], "feature ls")

    down = client.download_feature_values(CELLS)
    equal(list(down.columns), ["mapobject_id", *FEATURES], "columns")
    # The client reads numbers with a faster method than an exact one; files are read exactly below.
    np.testing.assert_allclose(down[FEATURES].to_numpy(float), frame.to_numpy(), rtol=4e-16, atol=0)
    metadata = client.download_object_metadata(CELLS)
    expected = pd.DataFrame({"mapobject_id": down["mapobject_id"], "plate_name": PLATE, "well_name": well,
                             "well_pos_y": y, "well_pos_x": x, "tpoint": 0, "zplane": 0, "label": labels})
    equal(metadata.drop(columns="is_border").to_dict("list"), expected.to_dict("list"), "metadata")
    image = client.download_segmentation_image(CELLS, PLATE, well, y, x)
    border = {*image[0], *image[-1], *image[:, 0], *image[:, -1]}
    equal(metadata["is_border"].tolist(), [int(label in border) for label in labels], "border")
    for query in ((PLATE,), (None, well), (PLATE, well, y, x, 0)):
        pd.testing.assert_frame_equal(client.download_feature_values(CELLS, *query), down)
        pd.testing.assert_frame_equal(client.download_object_metadata(CELLS, *query), metadata)
    other = client.download_feature_values(CELLS, PLATE, s.acquisition.wells[0], 0, 0)
    equal((list(other.columns), len(other)), (list(down.columns), 0), "a site without objects")

    # Client 0.4: values from a table on disk; what is not there is null.
    path = f"{s.path(client)}/mapobject_types"
    (kind,) = [one for one in client.get_mapobject_types() if one["name"] == CELLS]
    table = pd.read_csv(io.StringIO("label,more,less\n" + "".join(f"{one},{one / 7!r},\n" for one in labels)),
                        index_col="label", float_precision="round_trip")
    values = [[None if np.isnan(value) else value for value in row] for row in table.to_numpy(float).tolist()]
    body = {"plate_name": PLATE, "well_name": well, "well_pos_y": y, "well_pos_x": x, "tpoint": 0,
            "names": list(table.columns), "labels": table.index.tolist(), "values": values}
    equal(s.post(f"{path}/{kind['id']}/feature-values", body), {"message": "ok"}, "values by hand")
    expected = np.hstack([frame.to_numpy(), table.to_numpy(float)])

    secured = f"every_thing_m_plate_1_{well}_Cells_e"
    names = [*FEATURES, "more", "less"]
    with tempfile.TemporaryDirectory() as directory:
        for download in (
            lambda: client.download_feature_values_and_metadata_files(CELLS, directory, parallel=2),
            lambda: s.run("feature-values download", "-o", CELLS, "--directory", directory, "--parallel", 2),
        ):
            download()
            texts = {file.name: file.read_bytes().decode() for file in Path(directory).iterdir()}
            kinds = ("feature-values", "metadata")
            wells = [secured.replace(well, one) for one in s.acquisition.wells]
            equal(sorted(texts), sorted(f"{one}_{kind}.csv" for one in wells for kind in kinds), "files")
            lines = list(csv.reader(io.StringIO(texts[f"{secured}_feature-values.csv"], newline="")))
            equal(lines[0], ["mapobject_id", *names], "head of a file")
            got = pd.DataFrame([[float(cell) for cell in line[1:]] for line in lines[1:]])
            exactly(got.where(got.notna(), np.nan), np.where(np.isnan(expected), np.nan, expected), "values of a file")
            lines = list(csv.DictReader(io.StringIO(texts[f"{secured}_metadata.csv"], newline="")))
            equal([(line["plate_name"], int(line["label"])) for line in lines], [(PLATE, label) for label in labels],
                  "metadata of a file")
            for file in Path(directory).iterdir():
                file.unlink()
    client.rename_feature(CELLS, FEATURES[1], "mean")
    s.run("feature rename", "-o", CELLS, "-n", FEATURES[2], "--new-name", "#?&")
    client.delete_feature(CELLS, "more")
    s.run("feature rm", "-o", CELLS, "-n", "less")
    renamed = client.download_feature_values(CELLS)
    equal(list(renamed.columns), ["mapobject_id", FEATURES[0], "mean", "#?&", FEATURES[3]], "after changes")
    equal(renamed.to_numpy().tolist(), down.to_numpy().tolist(), "values after changes")


def tools(s: Session) -> None:
    client = s.client(TOOLS)
    (result,) = client.get_tool_results()
    expected = {"name": "Clustering-1", "submission_id": 1, "tool_name": "Clustering", "type": "ScalarToolResult",
                "attributes": {"unique_labels": [0, 1]}, "plots": []}
    equal({key: result[key] for key in expected}, expected, "result")
    equal(s.rows("tools ls", experiment=TOOLS), [{"ID": result["id"], "Name": "Clustering-1"}], "tools ls")
    jobs = client.get_tools_status()
    equal([(job["name"], job["submission_id"], job["state"], job["exitcode"]) for job in jobs],
          [("tool_Clustering", 1, "TERMINATED", 0), ("tool_Heatmap", 2, "TERMINATED", 1)], "jobs")
    equal(client.get_tools_status("Heatmap"), jobs[1:], "jobs of a tool")
    text = lambda value: "" if value is None else str(value)
    keys = {"ID": "id", "Name": "name", "Submission Number": "submission_id", "Submission Date": "submitted_at",
            "State": "state", "ExitCode": "exitcode", "Time (HH:MM:SS)": "time", "CPU Time (HH:MM:SS)": "cpu_time",
            "Memory (MB)": "memory"}
    listed = [{head: text(job[key]) for head, key in keys.items()} for job in jobs]
    equal(s.rows("tools status", experiment=TOOLS), listed, "tools status")
    equal(s.rows("tools status", "--tool", "Clustering", experiment=TOOLS), listed[:1], "tools status --tool")
    printed = s.run("tools log", "--name", "tool_Heatmap", "--submission", 2, experiment=TOOLS)
    equal(printed, "\nSTANDARD OUTPUT\n===============\nwarmed up\n\n\nSTANDARD ERROR\n==============\nno such feature\n\n",
          "log")


def linking(s: Session) -> None:
    """Client 0.4: `microscope-file register`, a directory of the server instead of an upload."""
    client = s.client()
    client.create_plate("linked")
    client.create_acquisition("linked", "by path")
    (acquisition,) = client.get_acquisitions("linked")
    path = f"{s.path(client)}/acquisitions/{acquisition['id']}/register"
    equal(s.post(path, {"path": str(s.acquisition.directory)}), {"message": "ok"}, "register")
    found = {one["name"]: one["status"] for one in client.get_microscope_files("linked", "by path")}
    equal(found, dict.fromkeys(s.acquisition.images | s.acquisition.metadata, "COMPLETE"), "linked files")
    equal(client.get_acquisitions("linked")[0]["status"], "COMPLETE", "linked acquisition")
    client.delete_plate("linked")
    equal(sorted(one.name for one in s.acquisition.directory.iterdir()), s.acquisition.names, "the directory afterwards")


CHECKS = [experiments, plates, acquisitions, files, descriptions, workflow, places, channels, images, types,
          segmentations, features, tools, linking]


if __name__ == "__main__":
    session = Session(*sys.argv[1:])
    equal(public_methods(), METHODS.keys() | OTHER_METHODS.keys(), "public methods of the client")
    equal(public_commands(), COMMANDS.keys() | OTHER_COMMANDS.keys(), "commands of the client")
    for check in CHECKS:
        session.watch.check = check.__name__
        begun = time.monotonic()
        check(session)
        print(f"{check.__name__}: {time.monotonic() - begun:.1f} s", flush=True)
    equal(METHODS.items() - session.watch.methods, set(), "methods that were not called where they are to be checked")
    equal(COMMANDS.items() - session.watch.commands, set(), "commands that were not run where they are to be checked")
    print(f"OK: {len(METHODS)} methods, {len(COMMANDS)} commands")
