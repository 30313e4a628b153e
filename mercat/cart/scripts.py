"""What happens to a cart in Valkey, each an atomic script in Lua.

KEYS of all: the cart, its id, the set of changed carts, whose cart has what was in it, and what of it is
offered (`keys_of`). A cart without an id is one that Valkey does not know (new, or lost): scripts answer nil
then, and the caller rebuilds it first.

No script has two carts, which may be on two servers. What goes from one to another does so in steps, each
of which can be done again: it is offered under a token, taken once by token, and given away. What was given
and was not there any more, since it was bought meanwhile, is taken out of the other cart, and the offer ends.
"""

from mercat.ids import UserId
from mercat.kit.valkey import Store

CODES = "codes"
"""The field of a cart that has its codes, a list as JSON; all others are lines."""
CHANGED_CARTS = "carts:changed"
"""A sorted set of users, by Valkey's time of the last change in their cart, in microseconds."""


def keys_of(store: Store, user: UserId | str) -> list[str]:
    """List the keys of a person's cart, of which that of its lines is known to others too."""
    shown = str(user)
    cart, there = "cart:" + shown, store.with_slot_of
    return [
        cart,
        there(cart, "cart_id:" + shown),
        store.part(CHANGED_CARTS, cart),
        there(cart, "cart_into:" + shown),
        there(cart, "cart_offer:" + shown),
    ]


def once_key(store: Store, user: UserId | str, name: str) -> str:
    """Name what says that something of this name was done to a cart, so that it is done once."""
    return store.with_slot_of(f"cart:{user}", f"cart_once:{user}:{name}")


_CHANGED = """
local function changed(cart, id, dirty, user, ttl)
  local t = redis.call('TIME')
  redis.call('ZADD', dirty, t[1] * 1000000 + t[2], user)
  redis.call('EXPIRE', cart, ttl)
  redis.call('EXPIRE', id, ttl)
end
"""
"""Notes that a cart has changed."""

_READ = """
local function read(old)
  if not old then return nil end
  local ok, line = pcall(cjson.decode, old)
  if not ok or type(line) ~= 'table' then return nil end
  local qty = tonumber(line.qty)
  if not qty or qty ~= math.floor(qty) or qty < 1 then return nil end
  line.qty = qty
  return line
end
"""
"""Reads a line as it is kept; nil for what cannot be read, which then is as good as not there."""

ADD = (
    _CHANGED
    + _READ
    + """
if redis.call('EXISTS', KEYS[2]) == 0 then return nil end
local old = redis.call('HGET', KEYS[1], ARGV[3])
local qty = tonumber(ARGV[4])
local line = {qty = qty, price = tonumber(ARGV[5]), added = ARGV[6]}
local known = read(old)
if known then
  line = known
  line.qty = line.qty + qty
elseif not old
  and redis.call('HLEN', KEYS[1]) - redis.call('HEXISTS', KEYS[1], 'codes') >= tonumber(ARGV[8]) then
  return 0
end
if line.qty > tonumber(ARGV[7]) then line.qty = tonumber(ARGV[7]) end
redis.call('HSET', KEYS[1], ARGV[3], cjson.encode(line))
changed(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
return 1
"""
)
"""ARGV: user, ttl, field, quantity to add, price, added, most a line, most lines. Answers 1, or 0: full."""

CHANGE = (
    _CHANGED
    + _READ
    + """
if redis.call('EXISTS', KEYS[2]) == 0 then return nil end
local old = redis.call('HGET', KEYS[1], ARGV[3])
local line = read(old)
if not line then return 0 end
local qty = tonumber(ARGV[4])
if qty == 0 then
  redis.call('HDEL', KEYS[1], ARGV[3])
else
  line.qty = qty
  redis.call('HSET', KEYS[1], ARGV[3], cjson.encode(line))
end
changed(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
return 1
"""
)
"""ARGV: user, ttl, field, quantity (0 removes). Answers 1, or 0 where there is no such line."""

SHOW = """
local id = redis.call('GET', KEYS[2])
if not id then return nil end
return {id, redis.call('HGETALL', KEYS[1])}
"""
"""Answers the id and the lines."""

REBUILD = """
if redis.call('SET', KEYS[2], ARGV[3], 'NX', 'EX', ARGV[2]) then
  for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return 1
"""
"""ARGV: user, ttl, id, then field and line pairs. Only where Valkey does not know the cart."""

_TAKE = """
local function take(field, qty)
  local old = redis.call('HGET', KEYS[1], field)
  if not old then return end
  local line = read(old)
  if line and line.qty > qty then
    line.qty = line.qty - qty
    redis.call('HSET', KEYS[1], field, cjson.encode(line))
  else
    redis.call('HDEL', KEYS[1], field)
  end
end
"""
"""Takes so many out of a line."""

SPEND = (
    _CHANGED
    + _READ
    + _TAKE
    + """
if redis.call('GET', KEYS[2]) ~= ARGV[3] then return 0 end
local into = redis.call('GET', KEYS[4])
if into and ARGV[5] == '' then
  local missing = {into}
  for i = 6, #ARGV, 2 do
    local old = redis.call('HGET', KEYS[1], ARGV[i])
    local line = read(old)
    local left = line and line.qty or 0
    if tonumber(ARGV[i + 1]) > left and (line or not old) then
      table.insert(missing, ARGV[i])
      table.insert(missing, ARGV[i + 1] - left)
    end
  end
  return missing
end
for i = 6, #ARGV, 2 do
  if tonumber(ARGV[i + 1]) > 0 then take(ARGV[i], tonumber(ARGV[i + 1])) end
end
redis.call('HDEL', KEYS[1], 'codes')
redis.call('SET', KEYS[2], ARGV[4])
changed(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
return 1
"""
)
"""ARGV: user, ttl, the id that is spent, the next id, `settled`, then field and quantity pairs that were
bought. That of a guest who has become a member since answers the member, and fields and quantities that are
not here: they are taken out there first, and what is left of the pairs comes again, `settled`. '': it is the
first time."""

TAKE_OUT = (
    _CHANGED
    + _READ
    + _TAKE
    + """
if redis.call('EXISTS', KEYS[2]) == 0 then return nil end
if not redis.call('SET', KEYS[6], '', 'NX', 'EX', ARGV[2]) then return 0 end
for i = 3, #ARGV, 2 do take(ARGV[i], tonumber(ARGV[i + 1])) end
changed(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
return 1
"""
)
"""KEYS also: `once_key`. ARGV: user, ttl, then field and quantity pairs that were bought."""

OFFER = """
if redis.call('EXISTS', KEYS[2]) == 0 then return nil end
local lines = redis.call('HGETALL', KEYS[1])
local token, missing = unpack(redis.call('HMGET', KEYS[5], 'token', 'missing'))
if missing then return {token, {}, cjson.decode(missing)} end
if #lines == 0 then return {'', lines, {}} end
redis.call('HSETNX', KEYS[5], 'token', ARGV[3])
redis.call('EXPIRE', KEYS[5], ARGV[2])
return {token or ARGV[3], lines, {}}
"""
"""ARGV: user, ttl, a token. Answers the token under which the lines and codes are offered, these, and what
GIVE_AWAY missed of them. The token is the one of the first who asked, until they are given away; empty: there
is nothing."""

TAKE_IN = (
    _CHANGED
    + _READ
    + """
if redis.call('EXISTS', KEYS[2]) == 0 then return nil end
local had = redis.call('GET', KEYS[6])
if had then return cjson.decode(had) end
local function list(text)
  local ok, codes = pcall(cjson.decode, text or '[]')
  return ok and type(codes) == 'table' and codes or {}
end
local taken = {}
for i = 5, #ARGV do taken[i - 4] = ARGV[i] end
for i = 1, #taken, 2 do
  local mine = redis.call('HGET', KEYS[1], taken[i])
  if taken[i] == 'codes' then
    local all, known = list(mine), {}
    for _, code in ipairs(all) do known[code] = true end
    for _, code in ipairs(list(taken[i + 1])) do
      if not known[code] and #all < tonumber(ARGV[4]) then table.insert(all, code) end
    end
    if #all > 0 then redis.call('HSET', KEYS[1], 'codes', cjson.encode(all)) end
  else
    local line, there = read(taken[i + 1]), read(mine)
    if line and there then
      there.qty = math.min(there.qty + line.qty, tonumber(ARGV[3]))
      line = there
    end
    if line then redis.call('HSET', KEYS[1], taken[i], cjson.encode(line)) end
  end
end
redis.call('SET', KEYS[6], cjson.encode(taken), 'EX', ARGV[2])
changed(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
return taken
"""
)
"""KEYS also: `once_key` of the token. ARGV: user, ttl, most a line, most codes, then fields and what is in
them. Adds them to the cart, once, and answers what was added then."""

GIVE_AWAY = (
    _CHANGED
    + _READ
    + """
local token, noted = unpack(redis.call('HMGET', KEYS[5], 'token', 'missing'))
if token ~= ARGV[3] then return {} end
if noted then return cjson.decode(noted) end
local missing = {}
for i = 5, #ARGV, 2 do
  local now = redis.call('HGET', KEYS[1], ARGV[i])
  local line, given = read(now), read(ARGV[i + 1])
  local short = given and given.qty - (line and line.qty or 0) or 0
  if short > 0 and (line or not now) then
    table.insert(missing, ARGV[i])
    table.insert(missing, short)
  end
  if line and given and line.qty > given.qty then
    line.qty = line.qty - given.qty
    redis.call('HSET', KEYS[1], ARGV[i], cjson.encode(line))
  elseif line or now == ARGV[i + 1] then
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
if #missing > 0 then
  redis.call('HSET', KEYS[5], 'missing', cjson.encode(missing))
  redis.call('EXPIRE', KEYS[5], ARGV[2])
else
  redis.call('DEL', KEYS[5])
end
redis.call('SET', KEYS[4], ARGV[4], 'EX', ARGV[2])
changed(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
return missing
"""
)
"""ARGV: user, ttl, the token, who took it, then fields and what was in them. Takes them out; what came on top
since they were offered stays. Answers fields and quantities that were not there any more: while there are
any, the offer lasts until END_OFFER."""

END_OFFER = """
if redis.call('EXISTS', KEYS[2]) == 0 then return nil end
if redis.call('HGET', KEYS[5], 'token') == ARGV[3] then redis.call('DEL', KEYS[5]) end
return 1
"""
"""ARGV: user, ttl, the token."""

SET_CODES = (
    _CHANGED
    + """
if redis.call('EXISTS', KEYS[2]) == 0 then return nil end
local old = redis.call('HGET', KEYS[1], 'codes') or ''
if old ~= ARGV[3] then return 0 end
if ARGV[4] == '' then
  redis.call('HDEL', KEYS[1], 'codes')
else
  redis.call('HSET', KEYS[1], 'codes', ARGV[4])
end
changed(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
return 1
"""
)
"""ARGV: user, ttl, the codes as they were read, as they are from now on. Answers 0 where they changed
meanwhile."""

COPIED = """
for i = 1, #ARGV, 2 do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) == ARGV[i + 1] then redis.call('ZREM', KEYS[1], ARGV[i]) end
end
return 1
"""
"""KEYS: the changed carts. ARGV: user and time pairs that were copied; later changes stay in the set."""
