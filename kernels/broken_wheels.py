"""Prints the packages of this environment whose installation was cut short, as `name==version` a line.

pip takes a package to be installed as soon as its metadata is there; one that was killed in the middle leaves metadata
without the list of files, or files on the list that do not exist.
"""

from importlib.metadata import distributions

for distribution in distributions():
    files = distribution.files
    if files is None or not all(file.locate().exists() for file in files):
        print(f"{distribution.metadata['Name']}=={distribution.version}")
