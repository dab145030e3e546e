"""One reader per format: from a package's archive to (name, plain text) pairs.

A reader takes the paths of its packages' archives and yields one pair per natural unit (a page of a manual,
a dictionary entry, a chapter), in the archive's order. It knows nothing of splits, page sizes or caching:
`documents` joins and cuts, `splits` groups, `store` keeps. Each turns its markup into the plain text that a
reader of the rendered page would see, and is written for one known package, not for all files of its format.
"""
