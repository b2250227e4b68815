"""Output folders: written whole, indexed by a manifest, with progress kept beside them."""

from bertpipe.artifacts.code import source_hash
from bertpipe.artifacts.growing import GrowingFiles, growing_files
from bertpipe.artifacts.manifest import (
    MANIFEST,
    Manifest,
    check_files,
    hash_json,
    input_hash,
    open_artifact,
    read_manifest,
    write_json,
)
from bertpipe.artifacts.whole import (
    Output,
    check_replaceable,
    link_folder,
    make_durable,
    replace_folder,
    sync_folder,
    written_whole,
)
from bertpipe.artifacts.work import WorkFolder, work_folder

__all__ = [
    "MANIFEST",
    "GrowingFiles",
    "Manifest",
    "Output",
    "WorkFolder",
    "check_files",
    "check_replaceable",
    "growing_files",
    "hash_json",
    "input_hash",
    "link_folder",
    "make_durable",
    "open_artifact",
    "read_manifest",
    "replace_folder",
    "source_hash",
    "sync_folder",
    "work_folder",
    "write_json",
    "written_whole",
]
