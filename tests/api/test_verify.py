"""``verify`` in Python: models by name, data of a chosen medium, and no examination of anything."""

import pytest
from PIL import Image

import makar
from makar.data.dataset import open_dataset
from makar.errors import UsageError
from makar.home import models_folder
from tests.data.test_dataset import picture, prose, write


@pytest.fixture
def trained(tmp_path):
    """A model of the images in a folder that holds more text, trained as ``train --medium image`` does."""
    folder = write(tmp_path / "mixed", {f"{number:02}.txt": prose(number) for number in range(12)})
    for number in range(8):
        Image.fromarray(picture(number)).save(folder / f"{number}.png")
    data = open_dataset(folder, medium="image", held_out_share=0.2)
    return folder, makar.train(data, steps=1, output="mixed").model


def data_check(found):
    return next(check for check in found.checks if (check.link, check.name) == ("data", "fingerprint"))


def test_data_of_a_chosen_medium_and_share_verifies_without_being_examined(trained, monkeypatch):
    folder, model = trained

    def never(*arguments, **options):
        raise AssertionError("the data was examined")

    monkeypatch.setattr("makar.data.dataset.examine", never)
    monkeypatch.setattr("makar.api.data.open_dataset", never)
    found = makar.verify(model.path)
    assert data_check(found).status == "ok" and found.is_complete
    (folder / "00.txt").write_text("changed")
    assert data_check(makar.verify(model.path)).status == "failed"
    for path in folder.iterdir():
        path.unlink()
    assert data_check(makar.verify(model.path)).status == "failed"
    folder.rmdir()
    assert data_check(makar.verify(model.path)).status == "unknown"


def test_a_model_is_verified_by_its_name(trained, tmp_path, monkeypatch):
    _, model = trained
    monkeypatch.chdir(tmp_path)
    found = makar.verify("mixed")
    # The folder of the data has the same name and lies right here.
    assert found.is_complete and makar.load("mixed").hash == model.hash
    assert "data" in {check.link for check in found.checks}
    with pytest.raises(UsageError, match="mixe") as refused:
        makar.verify("mixe")
    assert refused.value.do == 'did you mean the model "mixed"?'
    with pytest.raises(UsageError, match="no file"):
        makar.verify("elsewhere/mixed.png")
    assert model.path == models_folder() / "mixed"
