"""One file of settings for all processes of a shop: what it says they get, what it cannot say is refused."""

from pathlib import Path

import pytest

from mercat import settings_file
from mercat.kit.valkey_cluster import addresses_in
from mercat.settings import Settings, WrongSetting, load

WHOLE = """
public_url = "https://shop.example"
secret_key_file = "{folder}/secret"
secure_cookies = true
pool_size = 2
stripe_key_file = "{folder}/stripe"

[postgres]
main = "postgresql://pg-main:6432/shop"
owner = "postgres"
owner_password_file = "{folder}/owner"

[valkey]
store_file = "{folder}/store"
cache = ["valkey://v2:6379"]

[log]
kafka = ["k1:9092", "k2:9092"]
topic = "shop"

[search]
opensearch = ["http://os1:9200"]
index = "shop"
shards = 24
replicas = 1

[ids]
url = "postgresql://pg-ids/numbers"

[services]
inventory = "http://inventory:8000"
orders = "http://inventory:8000"
"""


@pytest.fixture
def told(tmp_path: Path):
    def told(text: str = WHOLE, **variables: str) -> Settings:
        for name, value in {
            "secret": "s" * 64 + "\n",
            "stripe": "sk_x",
            "owner": "o w",
            "store": "valkey://v1:1",
        }.items():
            (tmp_path / name).write_text(value)
        (file := tmp_path / "shop.toml").write_text(text.format(folder=tmp_path))
        return load({"MERCAT_CONFIG": str(file), **variables})

    return told


def test_a_file_says_everything(told):
    settings = told()
    assert settings.secret_key == "s" * 64
    assert settings.database() == {"host": "pg-main", "port": 6432, "database": "shop"}
    assert settings.owner() == {**settings.database(), "user": "postgres", "password": "o w"}
    assert (settings.store_url, settings.cache_url) == ("valkey://v1:1", "valkey://v2:6379")
    assert (settings.opensearch_url, settings.opensearch_index) == ("http://os1:9200", "shop")
    assert (settings.opensearch_shards, settings.opensearch_replicas) == (24, 1)
    assert (settings.kafka_url, settings.kafka_topic) == ("kafka://k1:9092,k2:9092", "shop")
    assert settings.kafka() == {"bootstrap.servers": "k1:9092,k2:9092", "security.protocol": "plaintext"}
    assert settings.id_database() == {"host": "pg-ids", "port": 5432, "database": "numbers"}
    assert settings.addresses == {"inventory": "http://inventory:8000", "orders": "http://inventory:8000"}
    assert (settings.secure_cookies, settings.pool_size) == (True, 2)
    assert settings.variables["stripe_key"].reveal() == "sk_x"
    assert "sk_x" not in repr(settings)


def test_servers_of_a_cluster_are_addresses_with_commas(told):
    servers = ["valkeys://:a,b@v1:1", "valkeys://v2:2"]
    settings = told(f'[valkey]\nstore = ["{servers[0]}", "{servers[1]}"]\ncache = "valkey://c:3"')
    assert addresses_in(settings.store_url) == servers
    assert addresses_in(settings.cache_url) == ["valkey://c:3"]


def test_replicas_of_the_catalogue_are_addresses_and_its_primary_is_the_shops_own(told):
    main = "postgresql://pg-main:6432/shop"
    urls = ["postgresql://r1:1/shop", "postgresql://r2/shop"]
    catalog = f'{{{{primary = "{main}", replicas = ["{urls[0]}", "{urls[1]}"]}}}}'
    settings = told(f'[postgres]\nmain = "{main}"\ncatalog = {catalog}')
    first, second = (settings.at(place).database() for place in settings.replicas())
    assert first == {"host": "r1", "port": 1, "database": "shop"}
    assert second == {"host": "r2", "port": 5432, "database": "shop"}
    assert load({}).replicas() == []
    with pytest.raises(WrongSetting, match="MERCAT_CATALOG_REPLICAS"):
        load({"MERCAT_CATALOG_REPLICAS": "r1:1"}).replicas()


def test_a_variable_wins_over_the_file_and_over_the_file_of_a_value(told):
    settings = told(
        MERCAT_POOL_SIZE="7",
        MERCAT_SECRET_KEY="another",
        MERCAT_INVENTORY_URL="http://there",
        MERCAT_STORE_URL="valkey://v9:9",
    )
    assert (settings.pool_size, settings.secret_key, settings.store_url) == (7, "another", "valkey://v9:9")
    assert settings.addresses["inventory"] == "http://there"


def test_a_variable_can_name_a_file_too(tmp_path):
    (tmp_path / "key").write_text("from a file\n")
    assert load({"MERCAT_SECRET_KEY_FILE": str(tmp_path / "key")}).secret_key == "from a file"
    with pytest.raises(WrongSetting, match="MERCAT_SECRET_KEY and MERCAT_SECRET_KEY_FILE"):
        load({"MERCAT_SECRET_KEY_FILE": str(tmp_path / "key"), "MERCAT_SECRET_KEY": "x"})
    with pytest.raises(WrongSetting, match="MERCAT_SMTP_URL_FILE"):
        load({"MERCAT_SMTP_URL_FILE": str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pool_size = ", "is no TOML"),
        ('pool_size = "many"', "MERCAT_POOL_SIZE"),
        ("hosts = {{a = 1}}", r"no section \[hosts\]"),
        ("[databases]", r"no section \[databases\]"),
        ('[log]\nkafka = ["kafka://k1:9092", "k2:9092"]', "several are not built"),
        ('[log]\nbroker = "k1:9092"', "log.broker is no setting"),
        ("[orders]\nshards = 4", r"\[orders\] has \[orders.shards\]"),
        ('[orders.shards]\nb = "0-1023"', "the address of b is no postgresql"),
        ('[orders.shards]\nmain = "0-511"', "bucket 512 is in none"),
        ('[orders.shards]\nmain = "0-9,9-1023"', "bucket 9 is in two"),
        ('[orders.shards]\nmain = "0-1024"', "'0-1024' are no buckets of main"),
        ('[orders.shards.main]\nhost = "x"', "orders.shards.main.host is no setting"),
        ('[media]\ns3 = "x"', r"\[media\] is not built"),
        ('[analytics]\nengine = "x"', "analytics.engine is no setting"),
        ('[postgres]\ncatalog = "postgresql://x/y"', "service's own database is not built"),
        ('[postgres.catalog]\nprimary = "postgresql://x/y"', "service's own database is not built"),
        ('[postgres.catalog]\nreplica = "postgresql://x/y"', "postgres.catalog.replica is no setting"),
        ('[postgres]\nmain = "mysql://x/y"', "postgres.main is no address"),
        ('[postgres]\nmain = "postgresql://x:port/y"', "postgres.main"),
        ('[postgres]\nmain = "postgresql://me:secret@x/y"', "roles and passwords are derived"),
        ('[postgres]\ntls = "perhaps"', "MERCAT_POSTGRES_TLS"),
        ("[valkey]\nstore = []", "valkey.store: several are not built"),
        ("[valkey]\nstore = [6379, true, {{a = 1}}]", "valkey.store is neither text nor a number"),
        ('[valkey]\nstorage = "valkey://a"', "valkey.storage is no setting"),
        ("[search]\nslices = 24", "search.slices is no setting"),
        ("[services]\ncart = {{url = 1}}", "services.cart is neither text nor a number"),
    ],
)
def test_what_the_file_cannot_say_is_refused_where_it_stands(told, text, said):
    with pytest.raises(WrongSetting, match=said):
        told(text)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(WrongSetting, match=r"/nowhere/shop\.toml"):
        load({"MERCAT_CONFIG": "/nowhere/shop.toml"})


def test_every_plain_key_is_a_setting():
    """None that does nothing."""
    named = {setting for keys in settings_file._PLAIN.values() for setting in keys.values()}
    assert {name.removesuffix("_file") for name in named} <= {*Settings.__struct_fields__}


def test_tls_is_asked_of_every_connection():
    settings = load({"MERCAT_POSTGRES_TLS": "verify-full", "MERCAT_POSTGRES_HOST": "pg"})
    assert settings.database()["ssl"].check_hostname
    assert settings.replication()["sslmode"] == "verify-full"
    assert "ssl" not in load({}).database()
    assert not load({"MERCAT_POSTGRES_TLS": "require"}).database()["ssl"].check_hostname


def test_kafka_is_reached_with_tls_and_a_user_whose_password_is_in_a_file(told, tmp_path):
    (tmp_path / "kafka").write_text("kafkas://mercat:a%2Fb@k1:9093,k2:9093")
    settings = told('[log]\nkafka_file = "{folder}/kafka"\ntls_root = "/etc/ssl/kafka.pem"')
    assert settings.kafka() == {
        "bootstrap.servers": "k1:9093,k2:9093",
        "security.protocol": "sasl_ssl",
        "ssl.ca.location": "/etc/ssl/kafka.pem",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "mercat",
        "sasl.password": "a/b",
    }
    with pytest.raises(WrongSetting, match="MERCAT_KAFKA_URL"):
        load({"MERCAT_KAFKA_URL": "k1:9092"}).kafka()


def test_databases_of_orders_are_places_with_buckets_the_shops_own_first(told):
    settings = told(
        """
[orders.shards]
b = {{url = "postgresql://pg-b:6432/orders", buckets = "512-767, 1000-1023"}}
main = "0-511,768-999"
c = {{url = "postgresql://%2Ftmp%2Fsocket/mercat"}}
"""
    )
    main, b, c = settings.shards()
    assert (main.name, main.ranges, settings.at(main)) == ("main", ((0, 512), (768, 1_000)), settings)
    assert b == ("b", ((512, 768), (1_000, 1_024)), "pg-b", 6432, "orders")
    assert (c.ranges, settings.at(c).database()["host"], c.slot) == ((), "/tmp/socket", "mercat_c")
    assert load({}).shards() == []


def test_the_home_is_a_country_by_its_code():
    assert load({"MERCAT_HOME_COUNTRY": "GB"}).home_country == "GB"
    with pytest.raises(WrongSetting, match=r"MERCAT_HOME_COUNTRY cannot be 'UK'.* Do you mean GB\?"):
        load({"MERCAT_HOME_COUNTRY": "UK"})
    with pytest.raises(WrongSetting, match="MERCAT_HOME_COUNTRY"):
        load({"MERCAT_HOME_COUNTRY": "QQ"})
