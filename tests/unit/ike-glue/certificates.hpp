// Certificates for tests: root -> intermediate -> node, made with strongSwan's `pki`, and a private key that is none.
#pragma once

#include <string>

namespace test_certificates {

inline const std::string kKey = "-----BEGIN PRIVATE KEY-----\nbm90IGEga2V5\n-----END PRIVATE KEY-----\n";
// CN=n, issued by CN=i, subjectAltName 2001:db8:1::42
inline const std::string kNode = R"(-----BEGIN CERTIFICATE-----
MIIBTDCB9KADAgECAghOWI2RygPGMTAKBggqhkjOPQQDAjAMMQowCAYDVQQDEwFp
MB4XDTI2MTEyMzIwMTA0OFoXDTkwMDMwNzEzNDIzMlowDDEKMAgGA1UEAxMBbjBZ
MBMGByqGSM49AgEGCCqGSM49AwEHA0IABLhXfHC7PnnmszlqXiYEiC4tuIWZQkTI
DZFMhJQPtN9X9lNItiFROBUVawhMyXKKpbBHOhqOY7cZ+/qgUVGRxQ6jQDA+MB8G
A1UdIwQYMBaAFKD53KtB3xz/MChN4ROFJ5QJ8xQxMBsGA1UdEQQUMBKHECABDbgA
AQAAAAAAAAAAAEIwCgYIKoZIzj0EAwIDRwAwRAIgSCyAGvcWpyEvR9Cy0uoUOu5W
eMBy0FkwC0sz88u58OoCIDfe6xg8fuJRjl5h4hBNeAu81r3wzwyUos9qHc8Jic5+
-----END CERTIFICATE-----
)";
// The same with Laptop@Example.org, LAPTOP.example.org, 192.0.2.1, 2001:db8:1::42 and CN=x
inline const std::string kNodeOfManyNames = R"(-----BEGIN CERTIFICATE-----
MIIBjjCCATSgAwIBAgIIa8ckgRhSB3AwCgYIKoZIzj0EAwIwDDEKMAgGA1UEAxMB
aTAgFw0yNjExMjcyMjE0MjRaGA8yMDgxMDgzMDIyMTQyNFowDDEKMAgGA1UEAxMB
bjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGFwnk+CuFWAB+wRAz7ixKaCBtQm
M2VJyS+lvsUEQVG4xkZBRWPrwF79gw48qLJ74G79w0IuxkrDZ3uJi+yUfpejfjB8
MB8GA1UdIwQYMBaAFNsGy5qC8GLqU4otDEiCR0EGJ/LEMFkGA1UdEQRSMFCBEkxh
cHRvcEBFeGFtcGxlLm9yZ4ISTEFQVE9QLmV4YW1wbGUub3JnhwTAAAIBhxAgAQ24
AAEAAAAAAAAAAABCpA4wDDEKMAgGA1UEAxMBeDAKBggqhkjOPQQDAgNIADBFAiBH
OlUaeCtiihhhosXt2rnoae0uEIs9dWWFKSi1B0uxQwIhAKIwYLlLiV6W/1oFij4L
BxcD71uEMRQQaUzgZPkGavZ+
-----END CERTIFICATE-----
)";
// CN=i, issued by CN=r
inline const std::string kIntermediate = R"(-----BEGIN CERTIFICATE-----
MIIBcjCCARegAwIBAgIIH0YGb7KumlcwCgYIKoZIzj0EAwIwDDEKMAgGA1UEAxMB
cjAeFw0yNjExMjMyMDEwNDhaFw05MDA2MTUxMzQyMzJaMAwxCjAIBgNVBAMTAWkw
WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQF85tr9j++UeOch5ZdB80e11a7vxCT
Xzg55v5QVbz3WYRL7EMt/x2qsvXv74EVtIGhUIPE4BUnG6SsnL2j4j+Vo2MwYTAP
BgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwIBBjAdBgNVHQ4EFgQUoPncq0Hf
HP8wKE3hE4UnlAnzFDEwHwYDVR0jBBgwFoAUQ5sJthkJewh+6ftpp2XzGcehdJ4w
CgYIKoZIzj0EAwIDSQAwRgIhAOuMvV9vnO+YAH8l/MMaBhAebhOy72nQw0K0smL/
NUUaAiEAxyiv1aeGL75t/EnUjB7a3cfJp6BB+Lg1CwYLUDiIClE=
-----END CERTIFICATE-----
)";
// CN=r, issued by itself
inline const std::string kRoot = R"(-----BEGIN CERTIFICATE-----
MIIBTzCB9qADAgECAgghxNwbb/B1pDAKBggqhkjOPQQDAjAMMQowCAYDVQQDEwFy
MB4XDTI2MTEyMzIwMTA0OFoXDTkwMDkyMzEzNDIzMlowDDEKMAgGA1UEAxMBcjBZ
MBMGByqGSM49AgEGCCqGSM49AwEHA0IABNpIOzP+SneVbpy9aBfdvpYnwaifNCnw
BFpIAbbDelhCdUdOhy8T1zWEwiImFSUK6Cmi193Tvc6075dD6ARTGYOjQjBAMA8G
A1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgEGMB0GA1UdDgQWBBRDmwm2GQl7
CH7p+2mnZfMZx6F0njAKBggqhkjOPQQDAgNIADBFAiBTQ5qoX8IygGRgM0tsco+z
p+G7+whW9yG1ywDydFbh/QIhAID0M/ePE1nfL74+Mm6yusn7ybU3X++QXTxKXgNT
tOck
-----END CERTIFICATE-----
)";
inline const std::string kRootSubject = "300c310a30080603550403130172";  // DER in hex
inline const std::string kBundle = kKey + kNode + kIntermediate + kRoot;

}  // namespace test_certificates
