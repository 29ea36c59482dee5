"""One file per paper: its items, and what stands in its collections' place; a row here."""

from papers.protocols import cetinic2018, gonthier2020, sabatelli2018

PROTOCOLS = {
    paper.name: paper for paper in (sabatelli2018.PAPER, gonthier2020.PAPER, cetinic2018.PAPER)
}
