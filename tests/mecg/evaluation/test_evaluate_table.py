"""A data set's table of records."""

from pathlib import Path

import pytest

from mecg.evaluation.dataset import read_table


@pytest.mark.parametrize("stated", ["MI|CD", "MI,CD", "MI; CD"])
def test_a_record_counts_in_each_of_its_superclasses(stated: str, tmp_path: Path) -> None:
    (tmp_path / "ptbxl_database.csv").write_text(
        f'patient_id,strat_fold,filename_lr,super_class\n1,9,a,"{stated}"\n2,9,b,\n'
    )
    assert [set(entry.superclasses) for entry in read_table(tmp_path, [9], 100)] == [{"MI", "CD"}, set()]
