"""A text to find out by how far a model's channels go; see `quantize.py`. Ours, for this purpose.

Of many kinds, since a channel that goes far does so at a punctuation mark, a digit or the end.
"""

INT8_RECIPE = 1  # part of that model's revision: raise it when its vectors change

TEXTS = (
    "How do I reset my password? Open Settings, choose Security and press Reset.",
    (
        "Revenue rose 12.5% to $4,310 million in fiscal 2023; operating margin was 18.2%, against "
        "17.9% a year before. Diluted earnings per share: $2.07."
    ),
    (
        "The valve opens when the pressure in the second chamber exceeds 3.2 bar. Close it by hand "
        "before maintenance, then drain the line and wait for ten minutes."
    ),
    "def area(width: float, height: float) -> float:\n    return width * height  # square metres",
    (
        "Patients who received the drug for six weeks had lower blood pressure than the control "
        "group (p < 0.01); headache and nausea were the most frequent side effects."
    ),
    (
        "In 1871 the river left its bed and flooded the lower town. The council, which had refused "
        "the embankment twice, voted for it within a week."
    ),
    (
        "Tenants must give written notice three months before they leave. The deposit is returned "
        "within thirty days, less the cost of repairs (see clause 14.2)."
    ),
    "name;street;city;amount\nMiller;12 Oak Road;Leeds;120.50\nSingh;3 Mill Lane;York;87.00",
    (
        "Boundary layers on a flat plate at supersonic speed: the heat transfer was measured at Mach "
        "numbers between 2 and 5 and compared with the theory of laminar flow."
    ),
    (
        "Libraries that lend books to each other need one catalogue; who keeps it, and who pays for "
        "it, has been argued about since the first union lists."
    ),
    "# Installation\n\n1. Download the archive.\n2. Unpack it.\n3. Run `make install`.",
    "Die Sitzung begann um 9 Uhr; der Haushalt wurde mit 14 zu 6 Stimmen angenommen.",
    "La température moyenne de l'eau était de 14,2 degrés au mois de juin.",
    "ERROR 2024-03-18 07:44:12 worker-3: connection to 10.0.0.12:5432 refused (attempt 4 of 5)",
    "Yes.",
    (
        "To be eligible, applicants must be over 18, hold a degree or equal experience, and speak "
        "two of the four official languages. Applications close on the last Friday of October at "
        "noon; late ones are not read. We answer everybody, usually within five weeks, and invite "
        "about one in ten to a conversation of forty minutes, which is held by video or in person. "
        "Travel costs are paid up to 200 euros. If you have questions, write to the office or call "
        "between 10 and 12 o'clock."
    ),
)
