"""Taking files in from people. Each file is judged alone: a bad one gets its message and the others go on."""

import hashlib
import logging
import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.db import IntegrityError, transaction

from engine.lib.upload_checks import HEAD_BYTES, check_upload, file_type
from projects import audit
from projects.models import Project, User
from projects.services import project_touch
from retrieval import files as places
from retrieval.models import Document, DocumentVersion, VersionStatus
from retrieval.services.reading import ingest_soon, restart

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class UploadResult:
    """What became of one file. ``message`` and ``mend`` are for the person."""

    name: str
    ok: bool
    message: str
    mend: str = ""
    document: str = ""
    version: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def documents_upload(*, project: Project, files: Iterable[File | Path], by: User) -> list[UploadResult]:
    """Keep each of ``files`` and have the new ones read. One answer a file, in their order; nothing is raised for a bad file."""
    results = [_upload_one(project, one, by) for one in files]
    if any(result.version for result in results):
        project_touch(project)
        ingest_soon(project)
    return results


def _upload_one(project: Project, one: File | Path, by: User) -> UploadResult:
    try:
        if isinstance(one, Path):
            with open(one, "rb") as handle:
                return _keep(project, File(handle, name=one.name), by)
        return _keep(project, one, by)
    except OSError as error:
        name = _shown(one.name or "")
        log.exception("Upload of a document of project %s", project.pk)
        return UploadResult(
            name,
            False,
            f"“{name}” could not be kept: {error.strerror or error}.",
            "Check the space on the disk, then try again.",
        )


def _keep(project: Project, one: File, by: User) -> UploadResult:
    name = unicodedata.normalize("NFC", one.name or "")
    size = one.size or 0
    one.seek(0)
    head = one.read(HEAD_BYTES)
    problem = check_upload(name, size, head, lambda: _Borrowed(one), max_bytes=settings.UPLOAD_MAX_BYTES)  # type: ignore[arg-type,return-value]
    if problem:
        return UploadResult(_shown(name), False, problem.message, problem.mend)
    kind = file_type(name)
    assert kind is not None  # check_upload refuses a type it does not know
    version = DocumentVersion(id=uuid.uuid4(), bytes=size, media_type=kind.media_type, created_by=by)
    version.file = places.name_for(project.pk, version.pk, kind.extension)
    version.sha256 = _write(one, version.path)
    try:
        return _record(project, name, version, by)
    except BaseException:
        places.erase(version.path)
        raise


def _write(one: File, path: Path) -> str:
    """Copy to a temporary name while hashing, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    digest = hashlib.sha256()
    try:
        with open(temporary, "wb") as target:
            one.seek(0)
            for part in one.chunks():
                digest.update(part)
                target.write(part)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return digest.hexdigest()


def _record(project: Project, name: str, version: DocumentVersion, by: User) -> UploadResult:
    """The rows of a file that lies in its place; a file that is here already gives its place up again."""
    with transaction.atomic():
        document, new = _document(project, name, version, by)
        latest = None if new else document.latest
        if latest is not None and latest.sha256 == version.sha256:
            places.erase(version.path)
            if restart([latest.pk]):
                return UploadResult(name, True, "Already here; it will be read again", "", str(document.pk), str(latest.pk))
            return UploadResult(name, True, "Already here, unchanged", "", str(document.pk))
        version.document = document
        version.number = (latest.number if latest else 0) + 1
        version.save(force_insert=True)
        Document.objects.filter(pk=document.pk).update(latest=version, sha256=version.sha256)
        twin = _twin(project, document, version)
        action = "document.upload" if version.number == 1 else "document.version"
        after = {
            "version": version.number,
            "bytes": version.bytes,
            "sha256": version.sha256,
            "media_type": version.media_type,
        }
        audit.record(
            project,
            by,
            action,
            f"document {document.pk}",
            before={"sha256": latest.sha256} if latest else None,
            after=after,
        )
    words = "Uploaded" if version.number == 1 else f"Uploaded as version {version.number}"
    if twin:
        words += f". The same content is here as “{twin}”"
    return UploadResult(name, True, words, "", str(document.pk), str(version.pk))


def _document(project: Project, name: str, version: DocumentVersion, by: User) -> tuple[Document, bool]:
    """The document of that name, locked, or a new one; two uploads of one name at once make one document."""
    wanted = {"project": project, "name": name, "deleted_at": None}
    found = Document.objects.select_for_update(of=("self",)).select_related("latest").filter(**wanted).first()
    if found:
        return found, False
    try:
        with transaction.atomic():
            return Document.objects.create(project=project, name=name, sha256=version.sha256, created_by=by), True
    except IntegrityError:
        return Document.objects.select_for_update(of=("self",)).select_related("latest").get(**wanted), False


def _twin(project: Project, document: Document, version: DocumentVersion) -> str:
    """The name of another document with the same bytes; noted on the version as a finding."""
    other = Document.objects.filter(project=project, deleted_at=None, sha256=version.sha256).exclude(pk=document.pk).first()
    if other is None:
        return ""
    finding = {"code": "same_bytes", "message": f"The same file as “{other.name}”.", "of": str(other.pk)}
    DocumentVersion.objects.filter(pk=version.pk, status=VersionStatus.UPLOADED).update(findings=[finding])
    return other.name


def _shown(name: str) -> str:
    """A refused name as it may stand on a page: printable, and not endless."""
    return "".join(c if c.isprintable() else "�" for c in name)[:120] or "a file without a name"


class _Borrowed:
    """An uploaded file opened for a checker that closes what it opens: here closing only goes back to the start."""

    def __init__(self, one: File) -> None:
        self._one = one
        one.seek(0)

    def __enter__(self) -> "_Borrowed":
        return self

    def __exit__(self, *_: object) -> None:
        self._one.seek(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._one.file, name)
