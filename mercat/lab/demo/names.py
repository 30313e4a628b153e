"""Names of people, ranges and sellers. All are invented."""


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


SELLERS = (
    "Bob's Bazaar",
    "Harbour & Hill",
    "Nordlys Trading",
    "The Corner Supply",
    "Fernway Goods",
    "Quayside Outlet",
)

FIRST_NAMES = _listed(
    """Ann Amara Anders Beatriz Ben Caleb Chiara Clara Daniel Deniz Elena Elias Emeka Esther Farid Fiona
    Freya Gabriel Grace Hana Henrik Hugo Ines Ingrid Isaac Ivana Jamal Jonas Julia Kaito Karin Kofi Lars
    Leila Lena Liam Lucia Luka Maja Malik Marta Mateo Mei Milan Mina Nadia Nils Nora Olga Omar Oskar
    Paula Pedro Petra Priya Quinn Rafael Ravi Rosa Ruth Samir Sara Sofia Stefan Tariq Tess Thea Tomas
    Uma Vera Victor Wen Yara Yusuf Zoe"""
)

LAST_NAMES = _listed(
    """Abara Almqvist Amsel Ashdown Bakare Barlow Bellamy Berg Brandt Calloway Castellan Corrin Dahl Darrow
    Delacourt Drummond Eklund Ellery Esposito Falk Fenwick Ferro Fontaine Gallagher Garner Grieve Hale
    Hartwell Hayashi Holloway Ibarra Ilves Jansen Jardine Kallio Keane Kimura Kovac Lindqvist Lockhart
    Lowell Maddox Marlowe Mbeki Merrick Moreau Nakano Norwood Novak Okafor Oakes Olander Pascoe Pereira
    Pryce Quist Rahman Ravensworth Reyes Rosen Sable Santoro Sato Sinclair Soares Strand Tamm Thorne
    Tolland Ueda Vance Varga Voss Wainwright Weir Winslow Yilmaz Zelenka"""
)

# A range's name, between brand and thing: "Halvorix Aster 27-inch Monitor". 197 of them, a prime, so that any
# step walks through all before one comes again.
RANGES = _listed(
    """Aster Fjord Alba Orin Lumo Sorrel Tindra Vesper Cove Linnet Halden Juno Mistral Pike Solway Arden
    Brae Cinder Dune Ember Finch Glade Heron Isla Jasper Kelda Larch Marlow Nimbus Oslo Petrel Quarry
    Rowan Sable Teal Ullin Vale Wren Yarrow Zephyr Alder Bracken Calder Delph Eider Fern Garnet Hazel
    Iris Juniper Kestrel Linden Maple Nettle Osprey Plover Quill Ridge Sedge Thistle Umber Vetch Willow
    Amber Birch Cedar Drift Elm Flint Gorse Harbour Indigo Jet Knoll Lark Moss North Onyx Pebble Quartz
    Reed Slate Tarn Upland Violet Whin Aurora Beacon Comet Dawn Eclipse Flare Gale Halo Ion Lyra Meteor
    Nova Orbit Pulse Quasar Ray Stella Titan Umbra Vega Zenith Anchor Bay Cape Delta Estuary Firth Gulf
    Haven Inlet Jetty Key Lagoon Marina Narrows Ocean Pier Reef Strand Tide Wharf Acorn Berry Clover
    Daisy Elder Fig Ginger Heather Ivy Laurel Myrtle Olive Poppy Rue Sage Thyme Verbena Woad Arch Bridge
    Court Dome Eaves Forge Gate Hearth Keep Lantern Mill Nave Orchard Porch Quay Rampart Spire Tower
    Vault Wicket Adagio Ballad Canto Duet Encore Fugue Gallop Hymn Jubilee Lilt Minuet Nocturne Opus
    Prelude Rondo Sonata Tempo Waltz Albion Borough County Dale Field Grove Heath Island Lane Meadow
    Park Shire Terrace Valley"""
)
