"""The tables of an index in PostgreSQL, and BM25 as one statement over them."""

COLUMN_STEP = 1 << 22
"""Between the places of title, heading and text: no phrase reaches from one into the next."""

TABLES = """
create table about (name text primary key, value text not null);
create table documents (
    id bigint generated always as identity primary key, name text not null unique, title text not null, size bigint not null,
    modified bigint not null, sha256 text not null, form text not null
);
create table passages (
    id bigint generated always as identity primary key, document bigint not null references documents(id) on delete cascade,
    place integer not null, start integer not null, finish integer not null, page integer, title text not null, heading text not null,
    text text not null, terms integer not null, grams integer not null
);
create index on passages(document, place);
create table postings (
    term text collate "C", passage bigint not null references passages(id) on delete cascade, places integer[] not null,
    primary key (term, passage)
);
create index on postings(passage);
create table grams (
    gram text collate "C", passage bigint not null references passages(id) on delete cascade, times integer not null,
    primary key (gram, passage)
);
create index on grams(passage);
create table vectors (
    model text not null, passage bigint not null references passages(id) on delete cascade, vector public.halfvec not null,
    primary key (model, passage)
);
create index on vectors(passage)
"""

ONE_WORD = "select {number} as phrase, passage, cardinality(places) as times from postings where term = %s"


def side_by_side(count: int) -> str:
    """Return the statement for a phrase of so many words."""
    tables = ["postings p0", *(f"join postings p{at} on p{at}.passage = p0.passage" for at in range(1, count))]
    terms = " and ".join(f"p{at}.term = %s" for at in range(count))
    follow = " and ".join(f"first.place + {at} = any(p{at}.places)" for at in range(1, count))
    return (
        "select {number} as phrase, p0.passage, count(*)::integer as times from "
        + " ".join(tables)
        + f" cross join unnest(p0.places) as first(place) where {terms} and {follow} group by p0.passage"
    )


BEST = """
with found as ({parts}),
counts as (select phrase, count(*)::float as passages from found group by phrase),
totals as (select count(*)::float as passages, greatest(avg({length}), 1)::float as mean from passages where {length} > 0)
select passages.id from found
join counts using (phrase) cross join totals
join passages on passages.id = found.passage
join documents on documents.id = passages.document
{only}
group by passages.id
order by sum(
    greatest(1e-6, ln((totals.passages - counts.passages + 0.5) / (counts.passages + 0.5)))
    * found.times * 2.2 / (found.times + 1.2 * (0.25 + 0.75 * {length} / totals.mean))
) desc, passages.id
limit %s
"""
"""FTS5's formula: the inverse document frequency is never below a millionth, where a word is in more than half of the passages."""
