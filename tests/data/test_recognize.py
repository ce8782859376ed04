"""Formats are recognized by content; layouts are those of public corpora and tools."""

import json
from pathlib import Path

import pytest

from spacy_ner_ext.data.formats.registry import get_reader
from spacy_ner_ext.data.lang import BlankPipeline
from spacy_ner_ext.data.recognize import guess_format
from spacy_ner_ext.data.report import ConversionReport
from spacy_ner_ext.data.text import encoded_as, read_encoded
from spacy_ner_ext.util.errors import UserError

NLP = BlankPipeline("xx")
ADA = [("Ada Lund", "PER"), ("Bern", "LOC")]


def lines(text, separator="\t"):
    """Rows of columns, which are separated by spaces here."""
    return "".join(separator.join(line.split()) + "\n" for line in text.split("\n"))


# The name of the file, its content, and what it has: format, words, entities.
CORPORA = {
    "CoNLL-2003": (
        "eng.testa",
        "-DOCSTART- -X- -X- O\n\nAda NNP B-NP B-PER\nLund NNP I-NP I-PER\n"
        "ran VBD B-VP O\n\nBern NNP B-NP B-LOC\n",
        ADA,
    ),
    "CoNLL-2003 of 2003": (
        "eng.train",
        "-DOCSTART- -X- O O\n\nAda NNP I-NP I-PER\nLund NNP I-NP I-PER\n"
        "ran VBD I-VP O\n\nBern NNP I-NP I-LOC\n",
        ADA,
    ),
    "CoNLL-2003 German": (
        "deu.train",
        "Ada Ada NE I-NC I-PER\nLund Lund NE I-NC I-PER\nlief laufen VVFIN I-VC O\n\n"
        "Bern Bern NE I-NC I-LOC\n",
        ADA,
    ),
    "CoNLL-2002": (
        "esp.testb",
        "Ada NP B-PER\nLund NP I-PER\ncorre VMI O\n\nBern NP B-LOC\n",
        ADA,
    ),
    "WNUT-2017": (
        "emerging.dev.conll",
        "Ada\tB-person\nLund\tI-person\n#run\tO\n\t\nBern\tB-location\n",
        [("Ada Lund", "person"), ("Bern", "location")],
    ),
    "GermEval-2014": (
        "NER-de-dev.tsv",
        "#\thttp://example.org/a\t[2010-01-01]\t\n1\tAda\tB-PER\tO\n"
        "2\tLund\tI-PER\tB-LOC\n3\tlief\tO\tO\n\n"
        "#\thttp://example.org/b [2010-01-01]\n1\tBern\tB-LOC\tO\n",
        ADA,
    ),
    "Few-NERD": (
        "dev.txt",
        "Ada\tperson-actor\nLund\tperson-actor\nran\tO\n\nBern\tlocation-GPE\nis\tO\n",
        [("Ada Lund", "person-actor"), ("Bern", "location-GPE")],
    ),
    "BioBERT, NCBI-disease": (
        "devel.tsv",
        "chest\tB\npain\tI\nis\tO\n\nflu\tB\nand\tO\n",
        [("chest pain", "ENTITY"), ("flu", "ENTITY")],
    ),
    "BC5CDR": (
        "train.tsv",
        "-DOCSTART-\tX\tX\tO\n\nchest\t1\t0\tB-Disease\npain\t1\t6\tI-Disease\nby\t1\t11"
        "\tO\n\nzorbin\t1\t14\tB-Chemical\n",
        [("chest pain", "Disease"), ("zorbin", "Chemical")],
    ),
    "JNLPBA": (
        "Genia4ERtask1.iob2",
        "###MEDLINE:1\n\nIL-2\tB-DNA\ngene\tI-DNA\nin\tO\n\n###MEDLINE:2\n\nT\tB-cell_type\n"
        "cells\tI-cell_type\n.\tO\n",
        [("IL-2 gene", "DNA"), ("T cells", "cell_type")],
    ),
    "NERsuite, AnEM": (
        "test.nersuite",
        "B-Organ\t0\t5\tliver\tliver\tNN\tB-NP\nO\t6\t9\tand\tand\tCC\tO\n\n"
        "B-Cell\t10\t11\tT\tT\tNN\tB-NP\nI-Cell\t12\t17\tcells\tcell\tNN\tI-NP\n",
        [("liver", "Organ"), ("T cells", "Cell")],
    ),
    "KLUE": (
        "klue-ner-v1.1_dev.tsv",
        "## klue-ner-v1_dev_00000\t<Ada:PS> ran\nA\tB-PS\nd\tI-PS\n \tO\nr\tO\n\n"
        "## klue-ner-v1_dev_00001\t<B:LC>\nB\tB-LC\n.\tO\n",
        [("A d", "PS"), ("B", "LC")],
    ),
    "Naver": (
        "train_data",
        "1\tAda\tPER_B\n2\tLund\tPER_I\n3\tran\t-\n\n1\tBern\tLOC_B\n2\t.\tO\n",
        ADA,
    ),
    "Resume": (
        "dev.char.bmes",
        "A B-NAME\nd M-NAME\na E-NAME\n, O\n\nB S-LOC\n",
        [("A d a", "NAME"), ("B", "LOC")],
    ),
    "Weibo": (
        "weiboNER.conll.dev",
        "A\tB-PER.NOM\nd\tI-PER.NOM\n,\tO\n\nB\tB-GPE.NAM\n",
        [("A d", "PER.NOM"), ("B", "GPE.NAM")],
    ),
    "MSRA": (
        "msra_train_bio.txt",
        "王\tB-PER\n明\tI-PER\n在\tO\n\n京\tB-LOC\n",
        [("王 明", "PER"), ("京", "LOC")],
    ),
    "OntoNotes, CoNLL-2012": (
        "bc_cctv_0000.v4_gold_conll",
        "#begin document (bc/x); part 000\n"
        + lines("bc/x 0 0 Ada NNP (S* - - - s (PERSON* (A* -\n"
                "bc/x 0 1 Lund NNP * - - - s *) *) (1)\n"
                "bc/x 0 2 ran VBD *) - - - s * * -", "   ")
        + "\n" + lines("bc/x 0 0 Bern NNP * - - - s (GPE) -", "   ")
        + "\n#end document\n",
        [("Ada Lund", "PERSON"), ("Bern", "GPE")],
    ),
    "MasakhaNER": (
        "dev.txt",
        "Ada B-PER\nLund I-PER\nran O\n\nBern B-LOC\n! O\n",
        ADA,
    ),
    "WikiANN": (
        "dev",
        "de:Ada\tB-PER\nde:Lund\tI-PER\nde:lief\tO\n\nde:Bern\tB-LOC\n",
        ADA,
    ),
    "MultiCoNER": (
        "en_dev.conll",
        "# id 7e-1\tdomain=en\nada _ _ B-Artist\nlund _ _ I-Artist\nran _ _ O\n\n\n"
        "# id 7e-2\tdomain=en\nbern _ _ B-HumanSettlement\n",
        [("ada lund", "Artist"), ("bern", "HumanSettlement")],
    ),
    "Universal NER": (
        "en_ewt-ud-dev.iob2",
        "# sent_id = a-1\n# text = Ada Lund ran\n1\tAda\tB-PER\t-\tx\n"
        "2\tLund\tI-PER\t-\tx\n3\tran\tO\t-\tx\n\n# sent_id = a-2\n"
        "1\tBern\tB-LOC\t-\tx\n",
        ADA,
    ),
    "Naamapadam": (
        "hi_val.json",
        '{"words": ["Ada", "Lund", "ran"], "ner": ["B-PER", "I-PER", "O"]}\n'
        '{"words": ["Bern"], "ner": ["B-LOC"]}\n',
        ADA,
    ),
    "LeNER-Br": (
        "dev.conll",
        "Ada B-PESSOA\nLund I-PESSOA\n, O\n\nBern B-LOCAL\n",
        [("Ada Lund", "PESSOA"), ("Bern", "LOCAL")],
    ),
    "Kaggle, GMB": (
        "ner_dataset.csv",
        "Sentence #,Word,POS,Tag\nSentence: 1,Ada,NNP,B-per\n,Lund,NNP,I-per\n"
        ',",",",",O\nSentence: 2,Bern,NNP,B-geo\n,"""",``,O\n',
        [("Ada Lund", "per"), ("Bern", "geo")],
    ),
    "MIT movies": (
        "engtest.bio",
        "O\tshow\nB-ACTOR\tada\nI-ACTOR\tlund\n\nB-GENRE\tdrama\nO\tnow\n",
        [("ada lund", "ACTOR"), ("drama", "GENRE")],
    ),
    "SEC filings": (
        "FIN3.txt",
        "-DOCSTART- -X- O O\n\nAda NNP O I-PER\nLund NNP O I-PER\nran VBD O O\n\n"
        "Bern NNP O I-LOC\n",
        ADA,
    ),
    "DaNE": (
        "ddt.dev.conllu",
        "# sent_id = a\n1\tAda\tAda\tPROPN\t_\t_\t0\troot\t_\tname=B-PER\n"
        "2\tLund\tLund\tPROPN\t_\t_\t1\tflat\t_\tname=I-PER|SpaceAfter=No\n\n"
        "1\tBern\tBern\tPROPN\t_\t_\t0\troot\t_\tname=B-LOC\n",
        ADA,
    ),
    "AnCora as CoNLL-U": (
        "es.txt",
        "1\tAda\t_\tPROPN\t_\t_\t0\troot\t_\tEntity=(e1-person-1\n"
        "2\tLund\t_\tPROPN\t_\t_\t1\tflat\t_\tEntity=e1)\n\n"
        "1\tBern\t_\tPROPN\t_\t_\t0\troot\t_\tEntity=(e2-place-1)\n",
        [("Ada Lund", "person"), ("Bern", "place")],
    ),
    "eleventh column": (
        "a.tsv",
        "1\tAda\t_\tPROPN\t_\t_\t0\troot\t_\t_\tB-PER\n"
        "2\tLund\t_\tPROPN\t_\t_\t1\tflat\t_\t_\tI-PER\n\n"
        "1\tBern\t_\tPROPN\t_\t_\t0\troot\t_\t_\tB-LOC\n",
        ADA,
    ),
    "spaCy": (
        "a.iob",
        "Ada|NNP|B-PER Lund|NNP|I-PER ran|VBD|O\nBern|NNP|B-LOC\n",
        ADA,
    ),
    "Simple Transformers": (
        "train.csv",
        "sentence_id,words,labels\n0,Ada,B-PER\n0,Lund,I-PER\n1,Bern,B-LOC\n1,is,O\n",
        ADA,
    ),
    "names in capitals": (
        "train.csv",
        "SENTENCE_ID,TOKEN,NER_TAG\n0,Ada,B-PER\n0,Lund,I-PER\n1,Bern,B-LOC\n1,is,O\n",
        ADA,
    ),
    "labels of digits": (
        "a.txt",
        "Ada\tB-1\nLund\tI-1\nran\tO\n\nBern\tB-2\n",
        [("Ada Lund", "1"), ("Bern", "2")],
    ),
    "slashes": ("a.txt", "Ada/B-PER Lund/I-PER ran/O\nBern/B-LOC is/O\n", ADA),
    "semicolons": ("a.csv", "Ada;B-PER\nLund;I-PER\nran;O\n\nBern;B-LOC\n", ADA),
}  # fmt: skip


@pytest.mark.parametrize("corpus", CORPORA)
def test_layouts_of_public_corpora(tmp_path, corpus):
    name, text, entities = CORPORA[corpus]
    path = tmp_path / name
    path.write_text(text, encoding="utf8")
    docs = list(get_reader(guess_format(path))(path, NLP, report=ConversionReport()))
    assert len(docs) == 2
    assert [(e.text.strip(), e.label_) for doc in docs for e in doc.ents] == entities


HIPE = (
    "TOKEN\tNE-COARSE-LIT\tNE-COARSE-METO\tNE-FINE-LIT\tNE-NESTED\tMISC\n"
    "# language = de\n"
    "Ada\tB-pers\tO\tB-pers.ind\tO\t_\nLund\tI-pers\tO\tI-pers.ind\tO\tNoSpaceAfter\n"
    "lief\tO\tO\tO\tO\tEndOfLine\n"
)


def test_columns_that_could_all_be_meant_are_named(tmp_path):
    path = tmp_path / "hipe.tsv"
    path.write_text(HIPE, encoding="utf8")
    with pytest.raises(UserError, match=r"1 \(B-pers\), 3 \(B-pers.ind\) all hold tag"):
        list(get_reader(guess_format(path))(path, NLP))
    (doc,) = get_reader("conll")(path, NLP, tag_column=1)
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("Ada Lund", "pers")]


NOT_COLUMNS = {
    "prose": "Dear all,\nwe met in Bern.\nO what a day!\n",
    "two words a line": "vitamin B-12\nvitamin B-6\nblood O\n",
    "hepatitis": "chronic hepatitis-B\nacute hepatitis-C\ntype O\n",
    "blood types": "name,type\nAda,O\nBo,A\nCy,AB\n",
    "blood types in columns": "Ada\tO\nBo\tB\nCy\tO\n",
    "numbers of tags": "O 0\nB-PER 1\nI-PER 2\n",
    "numbers": "1,2,3\n4,5,6\n",
    "vocabulary": "the\nof\nand\nO\nB-PER\n",
    "parts of speech": "Ada\tNNP\nran\tVBD\n\nBern\tNNP\n",
    "parts of tweets": "ikr\t!\nsmh\tG\nhe\tO\nran\tV\n\nu\tO\nr\tV\n",
    "glossary": "O\tthe letter\nB\tanother\n",
    "addresses": "Ada; Bern; O\nBo; Rome; X\n",
    "markdown": "# Notes\n\n| a | b |\n|---|---|\n| c | O |\n",
    "log": "2020-01-01 12:00 I-80 closed\n2020-01-02 13:00 I-95 open\n",
    "log of days": "2020-01-01 INFO start\n2020-01-01 WARN O\n2020-01-02 INFO stop\n",
    "parts of speech, slashes": "I/r came/v to/o\nBern/n ,/o\n",
    "tags of a sentence": "Ada ran\tB-PER O\nhi\tO\n\nBern\tB-LOC\nAda B\tB-X I-X\n",
    "frequencies": "the 100\nof 50\n",
}


@pytest.mark.parametrize("suffix", [".txt", ".tsv", ".csv", ""])
@pytest.mark.parametrize("case", NOT_COLUMNS)
def test_other_files_are_not_taken_for_columns(tmp_path, case, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_text(NOT_COLUMNS[case], encoding="utf8")
    with pytest.raises(UserError) as caught:
        guess_format(path)
    message = str(caught.value)
    first = NOT_COLUMNS[case].split("\n")[0]
    assert "the format is not recognized; the first line is" in message
    assert first[:20] in message.replace("\\t", "\t")
    assert "not columns with tags: " in message
    assert "\n" not in message


NAMED = {
    "a.tsv": ("# webanno.custom.X | a\n", ["WebAnno", "3"]),
    "b.tsv": ("#FORMAT=WebAnno TSV 2.0\n", ["WebAnno"]),
    "a.h5ad": (b"\x89HDF\r\n\x1a\n" + b"\0" * 99, ["HDF5", "AnnData"]),
    "a.zip": (b"PK\x03\x04abc", ["zip", "unpack"]),
    "a.gz": (b"\x1f\x8babc", ["gzip"]),
    "a.pdf": (b"%PDF-1.4", ["PDF"]),
    "a.db": (b"SQLite format 3\0", ["SQLite"]),
    "a.pkl": (b"\x80\x04\x95", ["pickle"]),
    "a.txt": ("https://example.org/a.txt\n", ["address", "download"]),
    "b.txt": ("[PER Ada Lund] ran\n", ["bracket notation", "--format inline"]),
    "c.txt": ("[Ada](PER) ran\n", ["--format inline"]),
    "o.txt": ("<START:person> Ada <END> ran\n", ["OpenNLP", "--format inline"]),
    "d.txt": ("<PER>Ada</PER> ran\n", ["inline"]),
    "n.txt": ('<ENAMEX TYPE="PER">Ada</ENAMEX> ran\n', ["MUC", "--format inline"]),
    "p.txt": ('<b class="x">Ada</b> ran\n', ["elements", "--format inline"]),
    "q.txt": ("__label__x Ada ran\n", ["fastText", "--format textcat"]),
    "e.txt": ('c="pain" 1:1 1:1||t="problem"\n', ["i2b2"]),
    "f.txt": ("( (S (NP (NNP Ada)) (VP (VBD ran))))\n", ["trees in brackets"]),
    "g.xml": ('<?xml version="1.0"?>\n<GateDocument version="3">\n', ["XML of GATE"]),
    "i.xmi": ('<?xml version="1.0"?><xmi:XMI xmlns:cas="x">\n', ["XMI", "INCEpTION"]),
    "j.xml": ("<root><a/></root>\n", ["XML"]),
    "k.csv": ("<!DOCTYPE html>\n<html>\n", ["HTML"]),
    "l.conll": ("version https://git-lfs.github.com/spec/v1\n", ["git lfs pull"]),
    "m.json": (
        json.dumps({"text": "Ada", "entities": {"P": [{"indices": [0, 3]}]}}),
        ["GATE"],
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_other_kinds_are_named_with_the_way_out(tmp_path, name):
    content, words = NAMED[name]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as caught:
        guess_format(path)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_an_address_in_place_of_a_file(tmp_path):
    with pytest.raises(UserError, match=r"https://example.org/a\.conll is an"):
        guess_format(Path("https://example.org/a.conll"))


def test_other_encodings_are_named_and_read(tmp_path):
    path = tmp_path / "ner.csv"
    text = "Sentence #,Word,Tag\nSentence: 1,Zoë,B-per\n,rañ,O\n"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"line 2: byte 0xeb .*--encoding latin-1"):
        guess_format(path)
    with encoded_as("latin-1"):
        format = guess_format(path)
    (doc,) = read_encoded(get_reader(format)(path, NLP), "latin-1")
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("Zoë", "per")]


FORMATS = {
    "a.ndjson": ('{"text": "Win a cruise", "label": "SPAM"}\n', "textcat"),
    "a.txt": ('{"text": "Ada", "spans": [[0, 3, "PER"]]}\n', "jsonl"),
    "a.csv": ("text,label\nAda ran,A\n", "textcat"),
    "b.csv": ('text,spans\nAda,"[[0, 3, ""PER""]]"\n', "table"),
    "c.csv": ("tokens,ner_tags\n\"['Ada']\",\"['B-PER']\"\n", "table"),
    "a.jsonl": ('{"tokens": ["Ada"], "ner_tags": ["B-PER"]}\n', "datasets"),
    "a.conll": ("# global.columns = ID FORM NER\n1\tAda\tB-PER\n", "conllu"),
    "b.conll": ("only\nwords\n", "conll"),
    "a.xml": ('<?xml version="1.0"?><collection><source/>', "bioc"),
    "b.json": ('{"documents": [{"passages": [{"offset": 0}]}]}', "bioc"),
    "b.txt": ("27|t|Tea\n27|a|It\n", "pubtator"),
    "d.txt": ("27|t|A |t| in Tea\n27|a|It\n", "pubtator"),
    "c.txt": ("#FORMAT=WebAnno TSV 3.3\n", "webanno"),
    "a.ann": ("T1\tPER 0 3\tAda\n", "standoff"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_other_formats(tmp_path, name):
    text, format = FORMATS[name]
    (tmp_path / name).write_text(text, encoding="utf8")
    assert guess_format(tmp_path / name) == format


def test_folders(tmp_path):
    (tmp_path / "a.conll").write_text("a\tO\n", encoding="utf8")
    with pytest.raises(UserError, match=r"it has \.conll; give one file, or name"):
        guess_format(tmp_path)
    for suffix in ("ann", "a1"):
        (tmp_path / suffix).mkdir()
        (tmp_path / suffix / f"a.{suffix}").write_text("", encoding="utf8")
        (tmp_path / suffix / "a.txt").write_text("Ada", encoding="utf8")
        assert guess_format(tmp_path / suffix) == "standoff"
        assert guess_format(tmp_path / suffix / "a.txt") == "standoff"
