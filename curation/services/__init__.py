"""What is done to pairs and dataset versions. Callers import from here."""

from curation.services.bulk import pairs_change_begin
from curation.services.cutting import DatasetError, dataset_version_cut
from curation.services.cutting_chore import dataset_version_begin
from curation.services.deciding import (
    pair_approve,
    pair_reject,
    pair_reopen,
    pair_request_changes,
    pair_review,
    pairs_approve_by_rule,
    pairs_decide_bulk,
)
from curation.services.erasing import evidence_erase
from curation.services.export_chores import pairs_export_begin, split_export_begin, version_zip_begin
from curation.services.exporting import EXPORTS, ExportError, pairs_export
from curation.services.gating import gate_begin
from curation.services.generating import pairs_generate
from curation.services.importing import (
    PairImportError,
    pair_import_remove,
    pair_import_set,
    pair_import_start,
    pair_import_try,
    pair_import_upload,
)
from curation.services.rehearsing import rehearsal_write
from curation.services.remedies import finding_remedy_begin
from curation.services.taking_in import pairs_take_in
from curation.services.writing import PairChanged, PairError, pair_create, pair_edit

__all__ = [
    "EXPORTS",
    "DatasetError",
    "ExportError",
    "PairChanged",
    "PairError",
    "PairImportError",
    "dataset_version_begin",
    "dataset_version_cut",
    "evidence_erase",
    "finding_remedy_begin",
    "gate_begin",
    "pair_approve",
    "pair_create",
    "pair_edit",
    "pair_import_remove",
    "pair_import_set",
    "pair_import_start",
    "pair_import_try",
    "pair_import_upload",
    "pair_reject",
    "pair_reopen",
    "pair_request_changes",
    "pair_review",
    "pairs_approve_by_rule",
    "pairs_change_begin",
    "pairs_decide_bulk",
    "pairs_export",
    "pairs_export_begin",
    "pairs_generate",
    "pairs_take_in",
    "rehearsal_write",
    "split_export_begin",
    "version_zip_begin",
]
