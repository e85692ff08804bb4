from __future__ import annotations

import gzip
import tracemalloc
from itertools import islice

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench import corpus
from workbench.corpus import formats
from workbench.errors import WorkbenchError

from .conftest import DOCUMENTS, write

NAMES = [f"a{kind}{packed}" for kind in formats.KINDS for packed in ("", ".gz", ".zst") if not (packed and kind == ".parquet")]


@pytest.mark.parametrize("name", NAMES)
def test_every_format_gives_the_documents_back(make, name):
    assert list(formats.documents(make(name))) == DOCUMENTS


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\r\n\ufeff\0")).filter(str.strip), min_size=1, max_size=5))
def test_any_text_comes_back_from_any_format(tmp_path, name, documents):
    assert list(formats.documents(write(tmp_path / name, documents))) == documents


def test_csv_quotes_and_tsv_does_not(make):
    quoted = make("a.csv", b'text,n\r\n"two\r\nlines, ""q""",1\r\n')
    assert list(formats.documents(quoted)) == ['two\r\nlines, "q"']
    raw = make("a.tsv", b'n\ttext\n1\t"Oh", he said\n2\t"never closed\n')
    assert list(formats.documents(raw)) == ['"Oh", he said', '"never closed']


def test_a_csv_field_may_be_long(make):
    assert len(next(formats.documents(make("a.csv", [f"{'x' * 300_000}"])))) == 300_000


def test_units_of_plain_text(make):
    path = make("a.txt", "\ufeffone\r\ntwo\r\n\r\n \r\nthree\r\n".encode())
    assert list(formats.documents(path, "line")) == ["one", "two", "three"]
    assert list(formats.documents(path, "paragraph")) == ["one\r\ntwo", "three"]
    assert list(formats.documents(path, "file")) == ["one\r\ntwo\r\n\r\n \r\nthree"]


def test_the_last_line_needs_no_end_and_other_separators_do_not_cut(make):
    assert list(formats.documents(make("a.txt", "a\u2028b\x0cc\u0085d\ne".encode()))) == ["a\u2028b\x0cc\u0085d", "e"]


def test_the_column_is_the_named_the_usual_or_the_only_one(make):
    assert list(formats.documents(make("a.csv", b"id,Content\n1,x\n"))) == ["x"]
    assert list(formats.documents(make("b.csv", b"only\nx\n"))) == ["x"]
    assert list(formats.documents(make("c.csv", b"text,ru\nx,y\n"), column="ru")) == ["y"]
    assert list(formats.documents(make("d.jsonl", b'{"text": null}\n\n{"text": "x"}\n'))) == ["x"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.txt", b"good\nbad \xff\n", "a.txt is not UTF-8 at byte 9 (0xff); save it as UTF-8."),
        ("a.csv", b"\xef\xbb\xbftext\n\xd0\n", "a.csv is not UTF-8 at byte 8 (0xd0); save it as UTF-8."),
        ("a.txt.gz", gzip.compress(b"ab\xfe", mtime=0), "a.txt.gz is not UTF-8 at byte 2 (0xfe); save it as UTF-8."),
        ("a.txt", "text".encode("utf-16"), "a.txt is UTF-16; save it as UTF-8."),
        ("a.txt", b"", "There is no text in"),
        ("a.txt", b"\n \n\t\n", "There is no text in"),
        ("a.csv", b"", "a.csv is empty; give a file with text in it."),
        ("a.csv", b"text\n", "There is no text in"),
        ("a.jsonl", b"", "a.jsonl is empty"),
        ("a.csv", b"en,ru\na,b\n", "a.csv has the columns en, ru; say with column= which of them holds the text."),
        ("a.tsv", b"text\tn\na\t1\nb\n", "a.tsv, row 2 has 1 fields, but the header has 2; make them equal."),
        ("a.csv", b'text,n\na,1\n"b,1\n', "a.csv, row 2 cannot be read (unexpected end of data); look for an unclosed quotation mark."),
        ("a.jsonl", b'{"text": "a"}\n{"text": \n', "a.jsonl, row 2 is not JSON"),
        ("a.jsonl", b'"a"\n', "a.jsonl, row 1 is not a JSON object; write one object per line"),
        ("a.jsonl", b'{"text": "a"}\n{"txt": "b"}\n', "a.jsonl, row 2 has no 'text'. Did you mean txt?"),
        ("a.jsonl", b'{"text": 1}\n', "a.jsonl, row 1: 'text' holds a int, not text; choose another column."),
        ("a.jsonl", b'{"text": "a"}\n{"text": "cut \\ud83d"}\n', "a.jsonl, row 2: 'text' holds half a character (\\ud83d), as of a cut emoji; remove it"),
        ("a.jsonl", b'{"text": "a"}\n{"text": "a", "b": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "a.jsonl, row 2 has brackets nested too deeply to be read"),
        ("a.parquet", b"PAR0", "a.parquet is no parquet file"),
        ("a.txt.gz", b"plain", "a.txt.gz is damaged or no .gz file"),
        ("a.txt.zst", zstandard.compress(b"abc\n" * 1000)[:-5], "a.txt.zst is damaged or no .zst file (Truncated compressed stream)"),
        ("a.txt.gz", gzip.compress(b"abc\n" * 1000, mtime=0)[:-5], "a.txt.gz is damaged or no .gz file (Truncated compressed stream)"),
        ("a.json", b"[]", "a.json is in none of the formats .txt, .jsonl, .csv, .tsv, .parquet (each also .gz or .zst); convert it to one of them."),
        ("a.parquet.gz", b"", "a.parquet.gz cannot be streamed, as parquet is packed already; unpack the outer .gz first."),
    ],
)
def test_bad_files_are_one_sentence(make, name, content, sentence):
    with pytest.raises(WorkbenchError) as caught:
        list(corpus.open(make(name, content)))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_page_is_one_sentence(make):
    path = make("a.parquet", [f"document {n} " * 20 for n in range(2_000)])
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 400] = b"\xff" * 400
    path.write_bytes(content)
    with pytest.raises(WorkbenchError, match=r"a\.parquet is damaged after row \d+ \([^\n]+\); fetch or write it again\."):
        list(corpus.open(path))


def test_a_string_that_is_not_utf8_is_one_sentence(make):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = make("a.parquet")
    pq.write_table(pa.table({"text": pa.array([b"good", b"bad \xff"]).view(pa.utf8())}), path)
    with pytest.raises(WorkbenchError, match=r"a\.parquet is damaged after row 0 \("):
        corpus.open(path)


def test_a_wrong_column_lists_the_right_ones(make):
    with pytest.raises(WorkbenchError, match=r"has no column 'eng_Latn'\. There is: 0, 1, .*, 19, …\."):
        formats.named(formats.Table("a.tsv", tuple(map(str, range(30))), lambda names: iter(())), "eng_Latn")
    with pytest.raises(WorkbenchError, match=r"a\.parquet has no column 'txt'\. Did you mean text\?"):
        corpus.open(make("a.parquet"), column="txt")


def test_an_endless_line_is_refused(make, monkeypatch):
    monkeypatch.setattr(formats, "LONGEST", 1 << 10)
    with pytest.raises(WorkbenchError, match="has a line longer than"):
        corpus.open(make("a.txt", b"x" * 2000))


@pytest.mark.parametrize("name", ["a.txt.gz", "a.csv", "a.parquet"])
def test_memory_stays_flat_on_a_large_file(make, name):
    path = make(name, [f"{n} " + "слово " * 1_000 for n in range(1_350)])  # 15 MB of UTF-8
    stream = corpus.open(path).train
    tracemalloc.start()
    for _ in islice(stream, None):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6e6
