"""The tables of an index in a SQLite file."""

from makar.retrieval.terms import GRAM_TOKENIZER, TOKENIZER

TABLES = f"""
create table about (name text primary key, value text not null);
create table documents (
    id integer primary key, name text not null unique, title text not null, size integer not null, modified integer not null,
    sha256 text not null, form text not null
);
create table passages (
    id integer primary key, document integer not null references documents(id) on delete cascade, place integer not null,
    start integer not null, finish integer not null, page integer, title text not null, heading text not null, text text not null
);
create index passages_of_document on passages(document, place);
create virtual table words using fts5(
    title, heading, text, content = 'passages', content_rowid = 'id', tokenize = '{TOKENIZER}'
);
create virtual table grams using fts5(text, content = 'passages', content_rowid = 'id', tokenize = '{GRAM_TOKENIZER}');
create virtual table frequencies using fts5vocab(words, row);
create table gram_passages (passage integer primary key references passages(id) on delete cascade);
create table vectors (
    passage integer not null references passages(id) on delete cascade, model text not null, vector blob not null,
    primary key (model, passage)
) without rowid;
"""
