#include "ocdbt/lease.h"

#include <unistd.h>

#include <array>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "ocdbt/manifest.h"
#include "ocdbt/names.h"
#include "ocdbt/record.h"

namespace cleave::ocdbt {
namespace {

constexpr absl::string_view kLeaseKind = "lease";

std::string HolderText() {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) {
    host[0] = '?';
  }
  return absl::StrCat(host.data(), ":", getpid());
}

std::string NanosecondsText(absl::Time time) { return absl::StrCat(absl::ToUnixNanos(time)); }

absl::StatusOr<absl::Time> ParseNanoseconds(const std::string& text) {
  int64_t nanoseconds = 0;
  if (!absl::SimpleAtoi(text, &nanoseconds)) {
    return absl::DataLossError(absl::StrCat("\"", text, "\" is no time"));
  }
  return absl::FromUnixNanos(nanoseconds);
}

}  // namespace

Lease::Lease(std::shared_ptr<store::Store> store, const LeaseOptions& options)
    : store_(std::move(store)), options_(options) {}

absl::StatusOr<std::unique_ptr<Lease>> Lease::PinVersion(const Database& database, GenerationNumber generation,
                                                         const LeaseOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(const Snapshot snapshot, database.At(generation));
  Manifest manifest{database.config(), {snapshot.version()}, {}};
  manifest.config.manifest_kind = ManifestKind::kSingle;
  std::unique_ptr<Lease> lease(new Lease(database.store(), options));
  CLEAVE_RETURN_IF_ERROR(lease->Begin(EncodeManifest(manifest)));
  // Announced first, checked then: whoever removes versions looks at the leases before it removes their files.
  CLEAVE_ASSIGN_OR_RETURN(const Snapshot still_there, database.At(generation));
  if (still_there.version() != snapshot.version()) {
    return absl::NotFoundError(
        absl::StrCat("Version where generation_number=", generation.value, " was replaced meanwhile"));
  }
  return lease;
}

absl::StatusOr<std::unique_ptr<Lease>> Lease::ForWriter(std::shared_ptr<store::Store> store,
                                                        const LeaseOptions& options) {
  std::unique_ptr<Lease> lease(new Lease(std::move(store), options));
  CLEAVE_RETURN_IF_ERROR(lease->Begin(""));
  return lease;
}

absl::Status Lease::Begin(std::string manifest) {
  std::array<uint8_t, 16> bytes{};
  options_.random->Fill(bytes);
  key_ = absl::StrCat(kPinsPrefix, absl::BytesToHexString(
                                       absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())));
  manifest_ = std::move(manifest);
  begun_ = options_.clock->Now();
  CLEAVE_RETURN_IF_ERROR(Renew());
  if (options_.renew_in_background) {
    renewer_ = std::thread([this] { RenewUntilStopped(); });
  }
  return absl::OkStatus();
}

Lease::~Lease() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  stopped_changed_.notify_all();
  if (renewer_.joinable()) {
    renewer_.join();
  }
  if (!key_.empty()) {
    (void)store_->Delete(key_);  // else it runs out
  }
}

absl::Status Lease::Renew() {
  const absl::Time expires = options_.clock->Now() + options_.duration;
  CLEAVE_RETURN_IF_ERROR(store_
                             ->Write(key_, EncodeRecord(kLeaseKind, {{"begun", NanosecondsText(begun_)},
                                                                     {"expires", NanosecondsText(expires)},
                                                                     {"holder", HolderText()},
                                                                     {"version", absl::BytesToHexString(manifest_)}}))
                             .status());
  const std::lock_guard lock(mutex_);
  expires_ = expires;
  return absl::OkStatus();
}

bool Lease::held() const {
  const std::lock_guard lock(mutex_);
  return options_.clock->Now() < expires_;
}

void Lease::RenewUntilStopped() {
  std::unique_lock lock(mutex_);
  const auto pause = absl::ToChronoMilliseconds(options_.duration / 3);
  while (!stopped_changed_.wait_for(lock, pause, [&] { return stopped_; })) {
    lock.unlock();
    (void)Renew();  // the next try may succeed in time; else held() tells
    lock.lock();
  }
}

absl::StatusOr<LeaseRecord> DecodeLease(absl::string_view text) {
  CLEAVE_ASSIGN_OR_RETURN(const RecordLines lines, DecodeRecord(kLeaseKind, text));
  LeaseRecord record;
  bool begun = false, expires = false;
  for (const std::vector<std::string>& line : lines) {
    if (line.size() != 2) {
      return absl::DataLossError("a line of the lease has not two words");
    }
    if (line[0] == "begun") {
      CLEAVE_ASSIGN_OR_RETURN(record.begun, ParseNanoseconds(line[1]));
      begun = true;
    } else if (line[0] == "expires") {
      CLEAVE_ASSIGN_OR_RETURN(record.expires, ParseNanoseconds(line[1]));
      expires = true;
    } else if (line[0] == "holder") {
      record.holder = line[1];
    } else if (line[0] == "version" && !line[1].empty()) {
      CLEAVE_ASSIGN_OR_RETURN(const Manifest manifest, DecodeManifest(absl::HexStringToBytes(line[1])));
      record.version = manifest.newest();
    }
  }
  return begun && expires ? absl::StatusOr<LeaseRecord>(std::move(record))
                          : absl::DataLossError("the lease does not say from when to when");
}

absl::StatusOr<std::vector<LeaseRecord>> ListLeases(const store::Store& store) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> keys, store.List(store::KeyRange::Prefix(kPinsPrefix)));
  std::vector<LeaseRecord> leases;
  for (const std::string& key : keys) {
    CLEAVE_ASSIGN_OR_RETURN(const store::ReadResult read, store.Read(key));
    if (!read.value) {
      continue;  // released meanwhile
    }
    absl::StatusOr<LeaseRecord> lease = DecodeLease(*read.value);
    if (!lease.ok()) {
      return Annotate(lease.status(), store.Describe(key));
    }
    lease->key = key;
    leases.push_back(*std::move(lease));
  }
  return leases;
}

}  // namespace cleave::ocdbt
