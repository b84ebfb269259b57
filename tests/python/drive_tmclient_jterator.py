"""Drive a server with tmclient 0.3.3, its library and its command line, through image-analysis projects.

    drive_tmclient_jterator.py BASE_URL USER PASSWORD EXPERIMENT DIRECTORY

DIRECTORY holds projects, a folder each, that fit the experiment and say everything that may be left out. Exit status 0
only if each comes back as it is after it was sent, and a broken one is refused.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import requests
import yaml
from drive_tmclient import CommandLine, equal
from tmclient import TmClient


def contents(project: Path) -> dict[str, object]:
    """What the files of a project say, by name."""
    files = [project / "pipeline.yaml", *sorted(project.glob("handles/*"))]
    return {str(file.relative_to(project)): yaml.safe_load(file.read_text()) for file in files}


def main() -> None:
    base, user, password, experiment, directory = sys.argv[1:]
    url = urlsplit(base)
    command = CommandLine(url.hostname, url.port, user, password)
    client = TmClient(url.hostname, url.port, user, password, experiment_name=experiment)
    projects = sorted(path for path in Path(directory).iterdir() if path.is_dir())
    assert projects
    for project in projects:
        sent = contents(project)
        with tempfile.TemporaryDirectory() as received:
            command.run("jtproject", "-e", experiment, "upload", "--directory", project)
            command.run("jtproject", "-e", experiment, "download", "--directory", received)
            equal(contents(Path(received)), sent, f"{project.name} by command line")
            # What was received is a project as good as the one that was sent.
            client.upload_jterator_project_files(received)
        answered = client.download_jterator_project()
        equal(answered["pipeline"], sent.pop("pipeline.yaml"), f"{project.name} by library")
        handles = {f"handles/{name}.handles.yaml": value for name, value in answered["handles"].items()}
        equal(handles, sent, f"handles of {project.name} by library")
    with tempfile.TemporaryDirectory() as broken:
        shutil.copytree(projects[0], broken, dirs_exist_ok=True)
        pipeline = Path(broken) / "pipeline.yaml"
        pipeline.write_text(pipeline.read_text().replace("smooth.py", "smoth.py"))
        try:
            client.upload_jterator_project_files(broken)
            raise AssertionError("a broken project was taken")
        except requests.HTTPError as error:
            equal(error.response.status_code, 400, "status of a broken project")
            message = error.response.json()["error"]["message"]
            assert "did you mean `smooth`?" in message, message
    equal(client.download_jterator_project(), answered, "project after a broken one")
    print(f"OK: {len(projects)} projects")


if __name__ == "__main__":
    main()
