/** A self-signed certificate for localhost and 127.0.0.1, made for tests alone; it expires in a hundred years. */
export const testCertificate = `-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUfEd4cw0dyanCJ2JKJwy67hDGTAQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzA4MzcxNloYDzIxMjYxMDMw
MDgzNzE2WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQXz+GWSayuu/sPLX+REp3CUR9ZxKxiF6lcg2vHkozRK72UND2LE8od
2rIjIncuZLi2MPbr9Ts/j/MOtWI9iZywo28wbTAdBgNVHQ4EFgQUSVHWJ6e4v5+X
K7W0K2gteNbDCsgwHwYDVR0jBBgwFoAUSVHWJ6e4v5+XK7W0K2gteNbDCsgwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSQAwRgIhAK2vANlcoPhZaMGnbL3pI51FQTDvGg0tlLA/cqJwzMNcAiEA
8RUnRAkKYMPYaDengkOPBiRbVVhXUt4vKkDzgngyrdk=
-----END CERTIFICATE-----
`;

/** Its private key: as public as this file, and good for nothing else. */
export const testKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgcI0sXqwpMwKQkz0f
u73DUQfKDNq8qJ53dsPLp20dG3yhRANCAAQXz+GWSayuu/sPLX+REp3CUR9ZxKxi
F6lcg2vHkozRK72UND2LE8od2rIjIncuZLi2MPbr9Ts/j/MOtWI9iZyw
-----END PRIVATE KEY-----
`;
