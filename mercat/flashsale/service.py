"""The flash sales' one door: each verb stands in the part that owns its subject."""

import asyncpg

from mercat.catalog import Catalog
from mercat.checkout import Checkout
from mercat.flashsale.certificates import Certificates
from mercat.flashsale.control import SaleControl
from mercat.flashsale.draws import Draws
from mercat.flashsale.passes import Passes
from mercat.flashsale.sale_runner import SaleRunner
from mercat.flashsale.sale_store import SaleStore
from mercat.flashsale.sales import Sales
from mercat.flashsale.signature import Signer
from mercat.flashsale.turns import IssuedTurns
from mercat.flashsale.waiting_room import WaitingRoom
from mercat.inventory import Inventory
from mercat.kit.limits import Limits
from mercat.kit.valkey import Store
from mercat.settings import Settings


class FlashSales:
    """Compose the parts of flash sales, and name the verbs that their neighbours call."""

    def __init__(
        self,
        db: asyncpg.Pool,
        store: Store,
        catalog: Catalog,
        inventory: Inventory,
        checkout: Checkout,
        settings: Settings,
    ) -> None:
        line = SaleStore(store)
        signer = Signer(settings.key("flash certificates"))
        self._draws = draws = Draws(db)
        self._turns = turns = IssuedTurns(db, line, checkout)
        self._sales = sales = Sales(db, line, catalog, inventory, signer)
        self._room = WaitingRoom(db, line, sales, draws, turns, Limits(store), settings)
        self._passes = Passes(db, line, sales, turns, settings)
        self._control = SaleControl(db, sales, inventory, checkout)
        self._certificates = Certificates(db, sales, self._control, draws, signer)
        self.runner = SaleRunner(db, line, checkout, draws, turns, sales)

        self.create = sales.create
        self.sales = sales.sales
        self.sale = sales.sale
        self.sale_offers = sales.sale_offers
        self.document = sales.document
        self.switched_off = sales.switched_off
        self.switch_off = sales.switch_off

        self.join = self._room.join
        self.place = self._room.place
        self.adopt = self._room.adopt

        self.claim = self._passes.claim
        self.give_back = self._passes.give_back
        self.settle = turns.settle

        self.act = self._control.act
        self.acts = self._control.acts
        self.overview = self._control.overview

        self.verify = self._certificates.verify
        self.certify = self._certificates.certify
        self.certificate = self._certificates.certificate
